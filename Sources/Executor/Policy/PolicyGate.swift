import DockerContainerizer
import LaunchModel
import LinuxKernel
import OperatorPolicy
import TaskModel
import TaskStore

/// Where a document meets the policy: once, before anything is made.
struct PolicyGate {
  static let option = Option(
    "--policy", value: "FILE", "what tasks may have of this host (\(PolicyFile.standard), where it is there)")

  let verdict: PolicyVerdict
  /// The task and the settings as they are with the policy.
  let task: TaskSpecification
  let settings: RunSettings
  /// The role as it was judged.
  let identity: Result<Identity, ExecutorFailure>

  init(_ arguments: Arguments, _ document: TaskDocument, _ task: TaskSpecification, _ settings: RunSettings)
    throws(ExecutorFailure)
  {
    let policy = try PolicyFile.find(arguments.last(Self.option.name))
    let words = OperatorWords(
      role: arguments.has("--role"), dockerParameters: arguments.has("--allow-docker-parameters"),
      maxRuns: arguments.has("--max-runs"))
    let identity = Result { () throws(ExecutorFailure) in try Role.identity(settings.role) }
    let judge = PolicyJudge(
      policy: policy, words: words,
      allowedDockerParameters: try DockerParameters.Allowed(settings.allowedDockerParameters).names,
      resolve: HostPathCache().resolve, mountBelow: { HostMounts.below($0) },
      uid: { (name) throws(Errno) in try HostAccounts.user(name)?.uid },
      groupNames: { (gid) throws(Errno) in try HostAccounts.groupNames(gid) })
    let demands = PolicyDemands.of(task, try? identity.get(), settings)
    var rulings: [(ruling: Ruling, place: DocumentPlace)] = []
    for demand in demands {
      var place = document.place(demand.origin.start, demand.origin.steps)
      switch demand.kind {
      case .amount(let ceiling, _):
        // Without a ceiling it needs no leave, and how long its end may take a document need not say.
        if policy?.ceilings[ceiling] == nil || (ceiling == .finalizationWait && !place.isWritten) { continue }
      case .role where words.role || !place.isWritten:
        place = .nowhere
      default: break
      }
      rulings.append((judge.ruling(demand), place))
    }
    verdict = PolicyVerdict(policy: policy, rulings: rulings)
    self.identity = identity
    guard let policy else {
      self.task = task
      self.settings = settings
      return
    }
    let paths = rulings.compactMap { ruling, _ -> PolicyLeave.Path? in
      guard let resolved = ruling.resolved else { return nil }
      return PolicyLeave.Path(written: ruling.demand.kind.value, resolved: resolved)
    }
    let leave = PolicyLeave(policy, paths: paths)
    var governed = settings
    governed.policy = leave
    if let most = policy.ceilings[.logBytes]?.most { governed.logBytes = UInt64(clamping: most) }
    if !words.dockerParameters { governed.allowedDockerParameters = policy.dockerParametersText }
    if !words.maxRuns { governed.maxRuns = Int(Int64(settings.maxRuns).atMost(leave.ceilings[.runs])) }
    self.task = leave.applied(to: task)
    self.settings = governed
  }

  /// `nil` for a document that makes no task.
  init?(_ arguments: Arguments, _ document: TaskDocument, _ task: TaskSpecification?, _ settings: RunSettings)
    throws(ExecutorFailure)
  {
    guard let task else { return nil }
    try self.init(arguments, document, task, settings)
  }

  /// Says what is denied, each with its place, and refuses.
  func enforce(_ loader: DocumentLoader) throws(ExecutorFailure) {
    guard !verdict.isGiven else { return }
    for line in verdict.complaints(loader.name) { Console.note(line) }
    throw verdict.failure
  }
}
