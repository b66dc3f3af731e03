import Glibc
import LinuxKernel
import StrictJSON
import Supervision
import TaskStore

/// A task that has not ended and that no executor runs.
struct AbandonedTask {
  let paths: TaskPaths
  let fate: InitFate

  /// Those of a work directory. What cannot be looked into is nobody's to judge.
  static func find(_ workDirectory: String, _ runDirectory: String) -> [AbandonedTask] {
    ((try? TaskPaths.allIDs(workDirectory)) ?? []).compactMap { id in
      let paths = TaskPaths(workDirectory: workDirectory, runDirectory: runDirectory, taskID: id)
      guard paths.lacksResult, !TaskLock.isHeld(paths), let journal = try? JournalContents(reading: paths.journal)
      else { return nil }
      // What it does not say may be what matters.
      guard !journal.isDamaged else {
        return AbandonedTask(
          paths: paths, fate: .unknown("its journal \(paths.journal) is damaged after line \(journal.lastSequence)"))
      }
      return AbandonedTask(paths: paths, fate: InitFate(journal, paths))
    }
  }

  /// How a task was ended, and what of it could not be removed.
  struct End {
    let state: String
    let problems: [String]
  }

  /// Ends a task whose init is dead, as `recover` does: what init wrote down counts, the rest cannot be known. Nothing of it
  /// is kept. `nil` when somebody else has come before.
  func end() throws(ExecutorFailure) -> End? {
    let takeover: Takeover
    do throws(ExecutorFailure) { takeover = try Takeover(paths) } catch {
      if !paths.lacksResult || TaskLock.isHeld(paths) { return nil }
      throw error
    }
    // It may have been taken over, and launched anew, before it was held.
    guard InitFate(takeover.history.journal, paths) == .ended else { return nil }
    var settings = takeover.history.settings
    settings.keepsContainer = false
    var publisher = try StatusPublisher(taskID: paths.taskID, style: .plain, statusDescriptor: nil)
    publisher.isSilent = true
    // A signal ends this command, and the next one finds what is left to do.
    let signals: SharedDescriptor
    do throws(Errno) { signals = SharedDescriptor(try signalDescriptor([])) } catch {
      throw ExecutorFailure(.internalError, "cannot take signals: \(error)")
    }
    var rest = TaskRun(
      paths: takeover.paths, settings: settings, publisher: publisher,
      launcher: ContainerizerChoice.launcher, resultFile: nil, follows: false,
      signals: signals)
    rest.assertsClean = true
    OperatorLog.about(paths.taskID)
    OperatorLog.note(.tookOver(takeover.history.task))
    let outcome = try rest.recover(takeover)
    OperatorLog.note(.ended(.success(outcome)))
    publisher.output.finish()
    let result = (try? readRegularFile(paths.result, limit: 64 << 20)).flatMap {
      try? JSON(parsing: $0, limits: .init(bytes: 64 << 20))
    }
    let notes = (result?["notes"]?.array ?? []).compactMap(\.string)
    return End(state: result?["state"]?.string ?? "TASK_LOST", problems: outcome.isUnclean ? notes : [])
  }
}

extension TaskPaths {
  /// Whether there is no result, for certain.
  fileprivate var lacksResult: Bool {
    do throws(Errno) {
      _ = try status(of: result)
      return false
    } catch {
      return error.code == ENOENT
    }
  }
}
