/// `source:target[:options]`, as the engine takes it apart: by bytes, whatever characters those make.
///
/// Taken apart once: who judges a mount and who asks for it see the same.
public struct Bind: Sendable, Equatable {
  /// A path of the host, or the name of a volume.
  public var source: String
  /// The path inside.
  public var target: String
  /// `ro`, `rshared`, `z` and so on.
  public var options: [String]

  /// `nil` for a text that is not of that form.
  public init?(_ text: String) {
    let parts = SplitText.parts(text, ":")
    guard parts.count == 2 || parts.count == 3 else { return nil }
    (source, target) = (parts[0], parts[1])
    options = parts.count == 3 ? SplitText.parts(parts[2], ",") : []
  }

  /// Whether the source is a path of the host; a volume's name has no slash.
  public var isHostPath: Bool { source.utf8.first == UInt8(ascii: "/") }

  /// Whether an option is given.
  public func has(_ option: String) -> Bool { options.contains { $0.utf8.elementsEqual(option.utf8) } }

  /// As the engine is told.
  public var text: String {
    ([source, target] + (options.isEmpty ? [] : [options.joined(separator: ",")])).joined(separator: ":")
  }
}
