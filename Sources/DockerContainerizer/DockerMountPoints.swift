import DockerEngineClient
import LinuxKernel
import TaskStore

/// Where the engine mounts things in a container, and makes what they are mounted on.
///
/// What a mount needs at its place and is not there the engine makes, as root, in whatever an earlier mount has put there: a
/// directory of the host just as well, and links of the image lead it there too. So the mounts of a container are laid out
/// before it starts as the engine will do it, its own among them, and what would not come to lie on a file system of the launch
/// must be there already. Where that cannot be told for certain, it is refused.
struct DockerMountPoints {
  /// What a mount shows.
  enum Content: Equatable {
    /// Nothing: it is made for the container, and gone with it.
    case empty
    /// The same with what the image has at its place.
    case copied
    /// The task's sandbox on the host: things may be made in it.
    case sandbox(String)
    /// A file or a directory of the host, or a volume that others may have as well.
    case host(String)
    /// Something that is not seen from here, or in which nothing is made.
    case unseen(String)
  }

  /// What has to be at the place: of several nodes only the engine knows which.
  enum Kind { case directory, file, node, nodes }

  struct Point: Equatable {
    let target: [[UInt8]]
    let kind: Kind
    let content: Content
    /// One that the engine mounts in every container.
    let isEngines: Bool

    init(_ target: String, _ kind: Kind, _ content: Content = .empty, isEngines: Bool = false) {
      self.target = DockerRequest.cleaned(target)
      self.kind = kind
      self.content = content
      self.isEngines = isEngines
    }

    var isNode: Bool { kind == .node || kind == .nodes }
  }

  /// A mount, and where it is after links of the image were followed.
  struct Laid {
    let place: [[UInt8]]
    let point: Point
    /// What the image has at the place is what the engine copies into it.
    let isImages: Bool
  }

  typealias Links = (String) throws(ExecutorFailure) -> [UInt8]?

  private let points: [Point]
  /// Where tasks may write on the host, by a policy.
  let writablePaths: [String]
  /// As many as the kernel follows.
  private static let mostLinks = 40

  /// - Parameters:
  ///   - points: in any order but for the engine's; it mounts those first, the others by the number of components, and makes
  ///     device nodes last.
  ///   - writablePaths: where tasks may write on the host, by a policy.
  init(_ points: [Point], writablePaths: [String] = []) {
    self.writablePaths = writablePaths
    let others = points.filter { !$0.isEngines && !$0.isNode }
    self.points =
      points.filter(\.isEngines) + others.sorted { $0.target.count < $1.target.count } + points.filter(\.isNode)
  }

  /// - Parameter link: the text of a link of the image; `nil` where it has something else, or nothing.
  func check(link: Links) throws(ExecutorFailure) {
    var laid: [Laid] = []
    for point in points {
      let place = try place(point, among: laid, link)
      try checkNothingCovered(point, place, laid)
      let isImages = point.content == .copied ? try self.place(point, among: [], link, judged: false) == place : false
      laid.append(Laid(place: place, point: point, isImages: isImages))
    }
    // Which of two at the same depth comes first is the engine's to decide.
    for (index, point) in points.enumerated() {
      var others = laid
      others.remove(at: index)
      guard try place(point, among: others, link) == laid[index].place else {
        throw ExecutorFailure(
          .failed, "\(Self.shown(point.target)) of the container: where it is depends on the order of the mounts",
          hint: Self.wayOut)
      }
    }
  }

  /// Finds the place of a mount among those that are there, and refuses it where something of others would have to be changed.
  private func place(
    _ point: Point, among laid: [Laid], _ link: Links, judged: Bool = true
  ) throws(ExecutorFailure) -> [[UInt8]] {
    var place: [[UInt8]] = []
    var pending = Array(point.target.reversed())
    var followed = 0
    while let next = pending.popLast() {
      let holder = Self.holder(of: place, laid)
      guard next != Array("..".utf8) else {
        // In a mount the one above may be another than the text says.
        if let holder { throw refusal(point, holder, "a link of the image leads through it") }
        _ = place.popLast()
        continue
      }
      place.append(next)
      guard !laid.contains(where: { $0.place == place }) else { continue }
      if let holder, holder.point.content == .copied {
        guard holder.isImages else { throw refusal(point, holder, "what is in it is not known") }
        guard try link(Self.path(place)) == nil else {
          throw refusal(point, holder, "there is a link on the way to \(Self.shown(place))")
        }
      }
      // What an image has there does not count in a mount.
      guard holder == nil, let text = try link(Self.path(place)) else { continue }
      followed += 1
      guard followed <= Self.mostLinks else {
        throw ExecutorFailure(
          .failed, "\(Self.shown(point.target)) of the container: too many links of the image are on the way")
      }
      if text.first == UInt8(ascii: "/") { place = [] } else { place.removeLast() }
      pending += text.pathComponents.reversed()
    }
    if judged {
      try checkTop(point, place)
      try judge(point, place, laid)
    }
    return place
  }

  /// The mount that a path is in. None covers another one, so it is the deepest.
  private static func holder(of path: [[UInt8]], _ laid: [Laid]) -> Laid? {
    var found: Laid?
    for mount in laid where path.starts(with: mount.place) && mount.place.count >= found?.place.count ?? 0 {
      found = mount
    }
    return found
  }

  private func judge(_ point: Point, _ place: [[UInt8]], _ laid: [Laid]) throws(ExecutorFailure) {
    guard let holder = Self.holder(of: Array(place.dropLast()), laid) else {
      if point.kind == .nodes { throw Self.manyNodes(point) }
      return
    }
    let rest = Array(place.dropFirst(holder.place.count))
    // It has these itself.
    if holder.point.isEngines, point.isEngines || place == Self.cgroups { return }
    if point.kind == .nodes, place.first != Self.devices || holder.point.content != .empty {
      throw Self.manyNodes(point)
    }
    switch holder.point.content {
    case .empty, .copied: return
    case .unseen: throw refusal(point, holder, "what is in it is not known")
    case .sandbox(let path):
      if let reason = obstacle(point.kind, path, rest, mayBeAbsent: true) { throw refusal(point, holder, reason) }
    case .host(let path):
      if let reason = obstacle(point.kind, path, rest) { throw refusal(point, holder, reason) }
    }
  }

  private func refusal(_ point: Point, _ holder: Laid, _ obstacle: String) -> ExecutorFailure {
    let source =
      switch holder.point.content {
      case .empty, .copied: "what is made for it"
      case .sandbox: "the sandbox"
      case .host(let path): path
      case .unseen(let name): name
      }
    return ExecutorFailure(
      .failed,
      "\(Self.shown(point.target)) of the container would be made in \(printable(source.utf8)), which is mounted on "
        + "\(Self.shown(holder.point.target)): \(obstacle)", hint: Self.wayOut)
  }

  private static func manyNodes(_ point: Point) -> ExecutorFailure {
    ExecutorFailure(
      .failed,
      "\(shown(point.target)) of the container: a whole directory of devices can only be below the engine's own /dev")
  }

  static let wayOut =
    "nothing is made on the host, or in a volume, for something to be mounted on: make it there before, or mount it elsewhere"

  static func path(_ components: [[UInt8]]) -> String {
    "/" + components.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
  }
  static func shown(_ components: [[UInt8]]) -> String { printable(path(components).utf8) }
}
