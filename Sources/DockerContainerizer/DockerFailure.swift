import DockerEngineClient
import TaskStore

extension ExecutorFailure {
  /// An engine that is not there or does not answer says nothing about the task; what it refuses does.
  package init(_ error: DockerEngineError, hint: String? = nil) {
    guard error.kind != .interrupted else {
      self.init(.stopped, "stopped while the Docker engine was asked to \(error.operation)")
      return
    }
    self.init(error.isUnavailable ? .unavailable : .failed, error.description, hint: hint)
  }
}

/// Runs something at the engine, and says it as the executor says things when it fails.
func atEngine<Value>(_ body: () throws(DockerEngineError) -> Value) throws(ExecutorFailure) -> Value {
  do throws(DockerEngineError) { return try body() } catch { throw ExecutorFailure(error) }
}
