/// Something that happened to a task. Every one is recorded before it is given to the machine, so that a replay of the
/// record leads to the same state.
package enum TaskEvent: Sendable, Equatable {
  /// The container stands; processes may start.
  case containerReady
  /// The container could not be set up; `reason` is a name of Mesos' (`REASON_…`).
  case containerFailed(reason: String, message: String, hint: String? = nil)
  /// Init is gone or the container vanished: what became of the processes cannot be known.
  case containerLost(String)
  case forked(process: String, run: Int)
  case running(process: String, run: Int)
  case ended(process: String, run: Int, RunOutcome)
  /// The task's own check found it healthy, or gave it up.
  case healthy
  case unhealthy(String)
  /// The same of the run of a process that has a check of its own.
  case processHealthy(process: String, run: Int)
  case processUnhealthy(process: String, run: Int, String)
  /// A limit of the container was reached, as of disk; `reason` is a name of Mesos'.
  case limitation(reason: String, message: String)
  case stop(StopRequest)
  /// Someone wants the run of a process to end and another to begin; it counts as no failure.
  case restart(process: String, by: String)
  /// The answer to `TaskEffect.lifecycle`: whether the task's server took the request as one to end.
  case lifecycleAnswered(handled: Bool)
  /// How many processes live in the container that are none of the task's runs; only for a machine that waits for them.
  case strays(Int)
  /// Nothing of the container's processes is left: the answer to `TaskEffect.killAll`. Runs whose end was seen are
  /// reported before it; the others are taken as killed.
  case allGone
  /// The instant of `TaskMachine.timer` has come.
  case timer
  /// A new executor has taken over: the record was replayed, its effects were ignored, and what is known of init since
  /// has been told. Everything that was asked for and not answered is asked for again.
  case resumed
}

/// Someone wants the task to end; `by` says who, for the message, and `origin` how, where that is known.
package enum StopRequest: Sendable, Equatable {
  /// Processes are asked to end, finals run.
  case graceful(by: String, origin: StopOrigin? = nil)
  /// Everything is killed, no final runs. After `graceful` it cuts every wait short.
  case now(by: String, origin: StopOrigin? = nil)
}

/// Which way a request to end a task has come, by its name in records.
package enum StopOrigin: String, Sendable, CaseIterable {
  /// A signal to the executor.
  case signal
  /// A request of `stop`, `kill` or another client of the executor.
  case request
  /// A signal to the first process of the container, from outside of it: from its engine, as a rule.
  case container
}

/// Something to be done about a task, in the order given.
package enum TaskEffect: Sendable, Equatable {
  case start(process: String, run: Int)
  /// A signal to the process group of a run.
  case terminate(process: String, run: Int, signal: Int32)
  /// SIGTERM to what lives in the container and is no run of the task, such as daemons that forked twice.
  case terminateStrays
  /// SIGKILL to everything but init; answered by `TaskEvent.allGone`.
  case killAll
  /// A POST to this endpoint on the task's lifecycle port; answered by `TaskEvent.lifecycleAnswered`.
  case lifecycle(endpoint: String)
  /// Send `TaskEvent.timer` at this instant, and not at any asked for before.
  case setTimer(UInt64?)
  /// A status update to publish; a terminal one comes as `finish`.
  case update(TaskState, reason: String?, message: String?)
  /// The task has ended; nothing follows.
  case finish(Verdict)
}

/// One run of one process.
package struct RunReference: Sendable, Hashable, CustomStringConvertible {
  package let process: String
  package let run: Int

  package init(process: String, run: Int) {
    self.process = process
    self.run = run
  }

  /// `web run 2`.
  package var description: String { "\(process) run \(run)" }
}

/// How a task ended, and why.
package struct Verdict: Sendable, Equatable {
  /// `finished`, `failed`, `killed` or `lost`.
  package var state: TaskState
  /// A name of Mesos' where one fits.
  package var reason: String?
  package var message: String
  /// What may help.
  package var hint: String?
  /// Which way the request to end it came, of a task that was stopped, where that is known.
  package var stopOrigin: StopOrigin?
  /// The run that decided it.
  package var decider: RunReference?
  /// What else should be known: finals that were skipped, failures that were tolerated.
  package var notes: [String]

  package init(
    state: TaskState, reason: String? = nil, message: String, hint: String? = nil, stopOrigin: StopOrigin? = nil,
    decider: RunReference? = nil, notes: [String] = []
  ) {
    self.state = state
    self.reason = reason
    self.message = message
    self.hint = hint
    self.stopOrigin = stopOrigin
    self.decider = decider
    self.notes = notes
  }
}
