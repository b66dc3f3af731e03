import DockerEngineClient
import Glibc
import LinuxKernel

/// Where the engine makes mount points in a container.
///
/// What a mount needs at its place and is not there the engine makes, as root, in whatever an earlier mount has put there: a
/// directory of the host just as well, and links of the image lead it there too. So the mounts of a container are laid out
/// before it starts as the engine will do it, and what would not come to lie on a file system of the launch must be there
/// already.
struct DockerMountPoints {
  /// What a mount shows.
  enum Content: Equatable {
    /// Made for the container, and gone with it.
    case launch
    /// A file or a directory of the host, or a volume that others may have as well.
    case host(String)
    /// Something of others that is not seen from here.
    case unseen(String)
  }

  /// What has to be at the place.
  enum Kind { case directory, file, node }

  struct Point: Equatable {
    let target: [[UInt8]]
    let kind: Kind
    let content: Content

    init(_ target: String, _ kind: Kind, _ content: Content = .launch) {
      self.target = DockerRequest.cleaned(target)
      self.kind = kind
      self.content = content
    }
  }

  /// A mount, and where it is after links of the image were followed.
  private typealias Laid = (place: [[UInt8]], point: Point)

  private let points: [Point]
  /// As many as the kernel follows.
  private static let mostLinks = 40

  /// - Parameter points: in any order; the engine mounts by the number of components, and makes device nodes last.
  init(_ points: [Point]) {
    self.points =
      points.filter { $0.kind != .node }.sorted { $0.target.count < $1.target.count }
      + points.filter { $0.kind == .node }
  }

  /// Whether something is mounted in which nothing may be made.
  var hasForeign: Bool { points.contains { $0.content != .launch } }

  /// - Parameter link: the text of a link of the image; `nil` where it has something else, or nothing.
  func check(link: (String) throws(CommandFailure) -> [UInt8]?) throws(CommandFailure) {
    guard hasForeign else { return }
    var laid: [Laid] = []
    for point in points {
      let place = try place(point, among: laid, link)
      laid.append((place, point))
    }
    // Which of two at the same depth comes first is the engine's to decide.
    for (index, point) in points.enumerated() {
      var others = laid
      others.remove(at: index)
      _ = try place(point, among: others, link)
    }
  }

  /// Finds the place of a mount among those that are there, and refuses it where something of others would have to be changed.
  private func place(
    _ point: Point, among laid: [Laid], _ link: (String) throws(CommandFailure) -> [UInt8]?
  ) throws(CommandFailure) -> [[UInt8]] {
    var place: [[UInt8]] = []
    var pending = Array(point.target.reversed())
    var followed = 0
    while let next = pending.popLast() {
      if next == Array("..".utf8) {
        _ = place.popLast()
        continue
      }
      let isForeign = DockerMountPoints.holder(of: place, laid).map { $0.point.content != .launch } ?? false
      place.append(next)
      // Links in what is no image's are refused below.
      guard !isForeign, !laid.contains(where: { $0.place == place }) else { continue }
      guard let text = try link(DockerMountPoints.path(place)) else { continue }
      followed += 1
      guard followed <= DockerMountPoints.mostLinks else {
        throw CommandFailure(
          .failed,
          "\(DockerMountPoints.shown(point.target)) of the container: too many links of the image are on the way")
      }
      if text.first == UInt8(ascii: "/") { place = [] } else { place.removeLast() }
      pending += text.pathComponents.reversed()
    }
    try judge(point, place, laid)
    return place
  }

  /// The mount that a path is in: the deepest one, and of several on one place the last.
  private static func holder(of path: [[UInt8]], _ laid: [Laid]) -> Laid? {
    var found: Laid?
    for mount in laid where path.starts(with: mount.place) && mount.place.count >= found?.place.count ?? 0 {
      found = mount
    }
    return found
  }

  private func judge(_ point: Point, _ place: [[UInt8]], _ laid: [Laid]) throws(CommandFailure) {
    guard let holder = DockerMountPoints.holder(of: Array(place.dropLast()), laid) else { return }
    let (source, obstacle): (String, String)
    switch holder.point.content {
    case .launch: return
    case .unseen(let name): (source, obstacle) = (name, "what is in it is not known")
    case .host(let path):
      let rest = Array(place.dropFirst(holder.place.count))
      guard let reason = DockerMountPoints.obstacle(point.kind, path, rest) else { return }
      (source, obstacle) = (path, reason)
    }
    throw CommandFailure(
      .failed,
      "\(DockerMountPoints.shown(point.target)) of the container would be made in \(printable(source.utf8)), which is mounted "
        + "on \(DockerMountPoints.shown(holder.point.target)): \(obstacle)",
      hint:
        "nothing is made on the host, or in a volume, for something to be mounted on: make it there before, or mount it "
        + "elsewhere")
  }

  /// Why something of the host cannot be a mount point as it is; `nil` when it can.
  private static func obstacle(_ kind: Kind, _ source: String, _ rest: [[UInt8]]) -> String? {
    let name = shown(rest).dropFirst()
    do throws(Errno) {
      let top = try openFile(source, O_PATH)
      let entry = try openBelow(
        top.rawValue, Array(path(rest).utf8.dropFirst()), O_PATH, resolve: [.beneath, .noSymlinks])
      let about = try status(of: entry.rawValue)
      switch kind {
      case .directory: return about.isDirectory ? nil : "\(name) in it is no directory"
      case .file, .node: return about.isDirectory ? "\(name) in it is a directory" : nil
      }
    } catch {
      switch error.code {
      case ENOENT: return "it has no \(name)"
      case ELOOP: return "there is a link on the way to \(name) in it"
      default: return "\(name) in it cannot be looked at: \(error.explanation)"
      }
    }
  }

  private static func path(_ components: [[UInt8]]) -> String {
    "/" + components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
  }
  private static func shown(_ components: [[UInt8]]) -> String { printable(path(components).utf8) }
}
