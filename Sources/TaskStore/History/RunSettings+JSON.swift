import OperatorPolicy
import StrictJSON

extension RunSettings {
  /// Every setting with its name in the journal: what is written is what is read.
  private static let rows: [Row] = [
    Row("role", \.role), Row("instance", \.instance), Row("hostname", \.hostname), Row("ports", \.ports),
    Row("bindings", \.bindings), Row("isolation", \.isolation), Row("sandbox_mount_point", \.sandboxMountPoint),
    Row("create_user", \.createsUser), Row("max_runs", \.maxRuns), Row("log_bytes", \.logBytes),
    Row("keep", \.keepsContainer), Row("docker_socket", \.dockerSocket), Row("docker_config", \.dockerConfig),
    Row("pull", \.pull), Row("docker_registry", \.dockerRegistry), Row("plain_http", \.plainHTTP),
    Row("certificates", \.certificates), Row("appc_store", \.appcStore),
    Row("appc_discovery_prefix", \.appcDiscoveryPrefix),
    Row("allow_docker_parameters", \.allowedDockerParameters),
    // What was judged is what goes on, or nothing does.
    Row("policy", \.policy),
  ]

  private struct Row: Sendable {
    let key: String
    let json: @Sendable (RunSettings) -> JSON?
    /// False where the value is none of this setting's.
    let read: @Sendable (JSON, inout RunSettings) -> Bool

    init<Value: SettingValue>(_ key: String, _ path: any WritableKeyPath<RunSettings, Value> & Sendable) {
      self.key = key
      json = { $0[keyPath: path].setting }
      read = { json, settings in
        guard let value = Value(setting: json) else { return false }
        settings[keyPath: path] = value
        return true
      }
    }
  }

  package var json: JSON { JSON(object: Self.rows.map { ($0.key, $0.json(self)) }) }

  /// What an executor of before did not write stays as it is by default.
  package init?(json: JSON) {
    guard ["role", "hostname", "isolation"].allSatisfy({ json[$0] != nil }) else { return nil }
    self.init(role: "", hostname: "", isolation: [])
    for row in Self.rows {
      if let value = json[row.key], !row.read(value, &self) { return nil }
    }
    guard bindings.allSatisfy({ $0.count == 2 }) else { return nil }
  }
}

/// What a setting can be.
private protocol SettingValue: SendableMetatype {
  var setting: JSON? { get }
  init?(setting: JSON)
}

extension String: SettingValue {
  fileprivate var setting: JSON? { JSON(self) }
  fileprivate init?(setting: JSON) {
    guard let text = setting.string else { return nil }
    self = text
  }
}

extension Bool: SettingValue {
  fileprivate var setting: JSON? { JSON(self) }
  fileprivate init?(setting: JSON) {
    guard let truth = setting.bool else { return nil }
    self = truth
  }
}

extension SettingValue where Self: FixedWidthInteger {
  fileprivate var setting: JSON? { JSON(self) }
  fileprivate init?(setting: JSON) {
    guard let number = setting.integer.flatMap({ Self(exactly: $0) }) else { return nil }
    self = number
  }
}

extension Int: SettingValue {}
extension Int64: SettingValue {}
extension UInt64: SettingValue {}

extension Array: SettingValue where Element: SettingValue {
  fileprivate var setting: JSON? { JSON(compactMap(\.setting)) }
  fileprivate init?(setting: JSON) {
    guard let items = setting.array else { return nil }
    self = items.compactMap { Element(setting: $0) }
    if count != items.count { return nil }
  }
}

extension Dictionary: SettingValue where Key == String, Value: SettingValue {
  fileprivate var setting: JSON? { JSON(object: sorted { $0.key < $1.key }.map { ($0.key, $0.value.setting) }) }
  fileprivate init?(setting: JSON) {
    guard let members = setting.members else { return nil }
    self.init()
    for member in members {
      guard let value = Value(setting: member.value) else { return nil }
      self[member.key] = value
    }
  }
}

extension Optional: SettingValue where Wrapped: SettingValue {
  fileprivate var setting: JSON? { flatMap(\.setting) }
  fileprivate init?(setting: JSON) {
    guard let value = Wrapped(setting: setting) else { return nil }
    self = .some(value)
  }
}

extension PolicyLeave: SettingValue {
  fileprivate var setting: JSON? { json }
  fileprivate init?(setting: JSON) { self.init(json: setting) }
}
