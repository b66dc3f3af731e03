/// `volume`, `tmpfs` and `volumes-from`.
enum VolumeOption {
  /// `[source:]target[:options]`: an absolute path of the host is mounted, any other source is a volume's name; without
  /// a source the volume has no name.
  static func volume(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let parts = SplitText.parts(text, ":")
    guard !text.utf8.contains(0), parts.count <= 3, parts.allSatisfy({ !$0.isEmpty }) else {
      throw .value(text, "[source:]target[:options]")
    }
    guard parts.count > 1 else {
      state.request.spec.volumes.append(try state.take(target: text))
      return
    }
    let source = parts[0]
    switch source.utf8.first {
    case UInt8(ascii: "/"): break
    case UInt8(ascii: "."), UInt8(ascii: "~"):
      throw RunOptionProblem(
        "\"\(excerpt(source.utf8, limit: 120))\" would depend on a working directory; give an absolute path or a name")
    default:
      do throws(DockerEngineError) {
        _ = try EngineName.check(source, "volume")
      } catch {
        throw RunOptionProblem(error.detail)
      }
    }
    if parts.count == 3 { try check(options: parts[2]) }
    guard var bind = Bind(text) else { throw .value(text, "[source:]target[:options]") }
    bind.target = try state.take(target: bind.target)
    state.request.hostConfig.binds.append(bind)
  }

  private static let options: [[String]] = [
    ["ro", "rw"], ["z", "Z"], ["nocopy"], ["shared", "rshared", "slave", "rslave", "private", "rprivate"],
    ["consistent", "cached", "delegated", "default"],
  ]

  /// Options that the engine takes, each kind once at most.
  private static func check(options text: String) throws(RunOptionProblem) {
    var seen: Set<Int> = []
    for option in SplitText.parts(text, ",") {
      guard let kind = options.firstIndex(where: { $0.contains { $0.utf8.elementsEqual(option.utf8) } }) else {
        let near = NearNames.of(option, among: options.flatMap { $0 })
        let hint = near.isEmpty ? "" : "; near: \(near.joined(separator: ", "))"
        throw RunOptionProblem("there is no volume option \"\(excerpt(option.utf8, limit: 40))\"\(hint)")
      }
      if !seen.insert(kind).inserted {
        throw RunOptionProblem("\"\(excerpt(text.utf8, limit: 60))\" has two options of one kind")
      }
    }
  }

  /// `path[:options]`
  static func tmpfs(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let (path, options) = RunOptionValue.cut(text, ":")
    if let options, !options.isEmpty {
      for option in SplitText.parts(options, ",") { try TmpfsMountOption.check(option) }
    }
    state.request.hostConfig.tmpfs[try state.take(target: path)] = options ?? ""
  }

  /// `container[:ro|:rw|…]`
  static func volumesFrom(_ state: inout RunOptionState, _ text: String) throws(RunOptionProblem) {
    let (container, options) = RunOptionValue.cut(text, ":")
    _ = try RunOptionValue.text(container, "a container's name or id")
    if let options { try check(options: options) }
    state.request.hostConfig.volumesFrom.append(text)
  }
}
