/// A file or directory of the host as it is mounted in a container.
///
/// The launcher opens the sources of a plan's mounts, in their order, and hands them to init as detached mounts: what is
/// named here is for people.
package struct BindMount: Sendable, Hashable, WireRecord {
  package var source: String
  package var target: String
  /// `MountAttributes`.
  package var attributes: UInt64
  /// Mounts below the source come along.
  package var recursive: Bool
  package var kind: Kind

  package enum Kind: UInt8, Sendable {
    /// A volume of the task's. Mounts that the host makes below its source later are seen where it is
    /// writable.
    case volume
    /// The sandbox or its logs: no volume may cover it.
    case own
    /// A convenience: left out where there is no place for it, or a volume is.
    case optional
  }

  package init(source: String, target: String, attributes: UInt64, recursive: Bool, kind: Kind) {
    self.source = source
    self.target = target
    self.attributes = attributes
    self.recursive = recursive
    self.kind = kind
  }

  package static let blank = BindMount(source: "", target: "", attributes: 0, recursive: false, kind: .own)
  package mutating func fields<Pass: WirePass>(_ pass: inout Pass) throws(Pass.Failure) {
    try pass.field(&source)
    try pass.field(&target)
    try pass.field(&attributes)
    try pass.field(&recursive)
    try pass.field(&kind)
  }

  var summary: String { "mount \(source) on \(target)" + (attributes & 1 != 0 ? " read-only" : "") }
}

extension BindMount.Kind: WireField {
  package init(field reader: inout WireReader) throws(WireError) {
    let number = try reader.next(UInt8.self)
    guard let kind = BindMount.Kind(rawValue: number) else { throw WireError("unknown kind of mount \(number)") }
    self = kind
  }
  package func writeField(to writer: inout WireWriter) { writer.put(rawValue) }
}

extension LaunchPlan {
  /// Everything of the host that is mounted in the container, in the order of the steps.
  package var binds: [BindMount] {
    steps.flatMap { step -> [BindMount] in
      switch step {
      case .binds(let mounts): mounts
      case .ownCgroup(let mount): [mount]
      default: []
      }
    }
  }
}
