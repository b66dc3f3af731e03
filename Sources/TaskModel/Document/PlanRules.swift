import StrictJSON

/// Whether the processes of a task can be run in the order asked for.
struct PlanRules {
  struct Process {
    let name: String
    let isFinal: Bool
    let isDaemon: Bool
    let isEphemeral: Bool
    let hasHealthCheck: Bool
    let position: JSON.Position
    let path: String
  }

  /// A name in an `order` or an `after`, with its place.
  struct Mention {
    let name: String
    var condition = Prerequisite.Condition.finished
    let position: JSON.Position
    let path: String
  }

  private struct Edge {
    let to: Int
    let mention: Mention
  }

  private let processes: [Process]
  private var indexOfName: [[UInt8]: Int] = [:]
  private var edges: [[Edge]]
  private var misspelt = 0
  private(set) var diagnostics: [Diagnostic] = []

  init(_ processes: [Process]) {
    self.processes = processes
    edges = Array(repeating: [], count: processes.count)
    // Names that only look equal would be one directory to some tools and two to others.
    var looks: Set<String> = []
    for (index, process) in processes.enumerated() {
      let isNew = indexOfName.updateValue(index, forKey: Array(process.name.utf8)) == nil
      if !isNew {
        report(process.position, process.path + ".name", "a second process named \(process.name.quotedForMessage)")
      } else if !looks.insert(process.name).inserted {
        report(
          process.position, process.path + ".name",
          "the name \(process.name.quotedForMessage) looks like that of another process and differs in its bytes only")
      }
    }
  }

  /// One `order`: each name must finish before the next may start.
  mutating func addOrder(_ mentions: [Mention], position: JSON.Position, path: String) {
    var known: [(index: Int, mention: Mention)] = []
    for mention in mentions {
      if let index = resolve(mention) { known.append((index, mention)) }
    }
    guard let first = known.first else { return }
    if let other = known.first(where: { processes[$0.index].isFinal != processes[first.index].isFinal }) {
      let (a, b) = (first.mention.name.quotedForMessage, other.mention.name.quotedForMessage)
      let isFinal = processes[first.index].isFinal
      report(
        other.mention.position, path,
        "an order mixes regular and final processes: \(a) is \(isFinal ? "final" : "regular"), \(b) is not",
        hint: "final processes always run after the regular ones")
      return
    }
    for (earlier, later) in zip(known, known.dropFirst()) { addEdge(earlier.index, later.index, later.mention) }
  }

  /// `after` of a process: like an order of two.
  mutating func addAfter(_ later: Int, _ earlier: Mention) {
    guard let index = resolve(earlier) else { return }
    guard processes[index].isFinal == processes[later].isFinal else {
      return report(
        earlier.position, earlier.path,
        "\(processes[later].name.quotedForMessage) and \(earlier.name.quotedForMessage) are not both regular or both final",
        hint: "final processes always run after the regular ones")
    }
    addEdge(index, later, earlier)
  }

  private mutating func resolve(_ mention: Mention) -> Int? {
    if let index = indexOfName[Array(mention.name.utf8)] { return index }
    // To compare with thousands of names takes its time; a few hints are enough.
    misspelt += 1
    let nearest = misspelt <= 10 ? NearestKey.find(mention.name, among: processes.prefix(2000).map(\.name)) : nil
    report(
      mention.position, mention.path, "no process is named \(mention.name.quotedForMessage)",
      hint: nearest.map { "did you mean \($0.quotedForMessage)?" })
    return nil
  }

  private mutating func addEdge(_ earlier: Int, _ later: Int, _ mention: Mention) {
    let (first, second) = (processes[earlier], processes[later])
    if mention.condition == .healthy, !first.hasHealthCheck {
      report(
        mention.position, mention.path,
        "\(second.name.quotedForMessage) could never start: nothing says when \(first.name.quotedForMessage) is healthy",
        hint: "give \(first.name.quotedForMessage) a health_check_config, or wait for \"started\"")
    }
    if mention.condition == .finished, first.isDaemon {
      report(
        mention.position, mention.path,
        "\(second.name.quotedForMessage) could never start: \(first.name.quotedForMessage) is a daemon and never finishes",
        hint: "\"after\" can also wait until it has \"started\" or is \"healthy\"")
    }
    if mention.condition == .finished, first.isEphemeral, !second.isEphemeral {
      report(
        mention.position, mention.path,
        "\(second.name.quotedForMessage) may not wait for \(first.name.quotedForMessage), which is ephemeral")
    }
    edges[earlier].append(Edge(to: later, mention: mention))
  }

  /// Says every loop that a walk along the orders meets, up to a number that helps. Not recursive: a chain may be as long as the task.
  mutating func checkLoops() {
    enum Mark { case new, open, closed }
    var marks = [Mark](repeating: .new, count: processes.count)
    var path: [(node: Int, next: Int)] = []
    var loops = 0
    for start in processes.indices where marks[start] == .new {
      marks[start] = .open
      path = [(start, 0)]
      while let (node, next) = path.last {
        guard next < edges[node].count else {
          marks[node] = .closed
          path.removeLast()
          continue
        }
        path[path.count - 1].next += 1
        let edge = edges[node][next]
        switch marks[edge.to] {
        case .closed: break
        case .new:
          marks[edge.to] = .open
          path.append((edge.to, 0))
        case .open:
          loops += 1
          if loops > 20 { return }
          let loop = path.drop { $0.node != edge.to }.map { processes[$0.node].name } + [processes[edge.to].name]
          var shown = loop
          if loop.count > 12 { shown = Array(loop.prefix(6)) + ["…"] + Array(loop.suffix(5)) }
          report(
            edge.mention.position, edge.mention.path,
            "processes wait for each other: \(shown.joined(separator: " -> "))")
        }
      }
    }
  }

  private mutating func report(
    _ position: JSON.Position, _ path: String, _ message: String, hint: String? = nil
  ) {
    guard diagnostics.count < DocumentChecker.limit else { return }
    diagnostics.append(Diagnostic(.plan, at: position, path: path, message, hint: hint))
  }
}
