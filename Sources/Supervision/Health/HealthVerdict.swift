import LaunchModel
import LinuxKernel
import TaskModel

/// What an answer means for the health of who was asked, in Aurora's words (aurora.md §6.7).
enum HealthVerdict {
  /// A result of one check, with what came back.
  struct Finding: Equatable {
    var outcome: HealthCounter.Outcome
    /// What came back, for people; empty when there is nothing to say.
    var output: String
    /// Why a check failed, where the outcome's own words repeat the output.
    var reason: String?
  }

  /// - Returns: `nil` for what says nothing about who was to be asked.
  static func of(_ answer: ContainerProbes.Answer, _ check: HealthCheck) -> Finding? {
    switch answer {
    case .timedOut:
      return failure("Health check timed out.")
    case .failed(let why): return failure(why)
    case .notAsked: return nil
    case .connected: return Finding(outcome: .success, output: "connected")
    case .response(let status, let body): return judge(status: status, body: body, check)
    case .ended(let record, let output): return judge(record, output, check)
    }
  }

  private static func failure(_ why: String, output: String = "") -> Finding {
    Finding(outcome: .failure(why), output: output)
  }

  private static func failure(of command: String, _ output: String) -> Finding {
    Finding(outcome: .failure("\(command) with output '\(output)'"), output: output, reason: command)
  }

  /// The body first, then the status, each unless it is not compared.
  private static func judge(status: Int, body: [UInt8], _ check: HealthCheck) -> Finding {
    guard case .http(_, _, let expected, let code) = check.probe else { return failure("an answer to nothing") }
    let text = shortened(body)
    let shown = "HTTP \(status)" + (text.isEmpty ? "" : ": \(text)")
    if !expected.isEmpty {
      // An error's page is no answer of the task's own.
      let said = status >= 400 ? [] : body.trimmedOfBlanks.lowercasedASCII
      let wanted = Array(expected.utf8).trimmedOfBlanks.lowercasedASCII
      guard said == wanted else {
        let (a, b) = (abbreviated(wanted), abbreviated(said))
        let hint = status >= 300 ? " with HTTP status \(status)" : ""
        return failure(
          "Response differs from expected response (expected \"\(a)\", got \"\(b)\"\(hint))", output: shown)
      }
    }
    if code != 0, status != code {
      return failure("Response code differs from expected response (expected \(code), got \(status))", output: shown)
    }
    return Finding(outcome: .success, output: shown)
  }

  private static func judge(_ record: ExitRecord, _ output: [UInt8], _ check: HealthCheck) -> Finding {
    guard case .shell(let command) = check.probe else { return failure("an end of nothing") }
    if let unstarted = record.startFailure { return failure("cannot run the health check: \(unstarted.reason)") }
    let text = shortened(output)
    let what = "Command '\(shortened(Array(command.utf8), to: 200))'"
    switch ExitStatus(waitStatus: record.waitStatus) {
    case .exited(0): return Finding(outcome: .success, output: text)
    case .exited(let code):
      return failure(of: "\(what) returned non-zero exit status \(code)", text)
    case .signaled(let signal):
      return failure(of: "\(what) was killed by \(SignalName.name(of: signal))", text)
    }
  }

  /// As Aurora cuts what it quotes.
  private static func abbreviated(_ bytes: [UInt8]) -> String {
    bytes.count < 10 ? printable(bytes) : printable(bytes.prefix(7)) + "..."
  }

  /// The end of a text on one line.
  private static func shortened(_ bytes: [UInt8], to limit: Int = 500) -> String {
    let text = bytes.trimmedOfBlanks
    return (text.count > limit ? "…" : "") + printable(text.suffix(limit))
  }
}

extension Collection<UInt8> {
  fileprivate var trimmedOfBlanks: [UInt8] {
    func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    let start = drop(while: isBlank)
    return Array(Array(start).reversed().drop(while: isBlank).reversed())
  }

  fileprivate var lowercasedASCII: [UInt8] { map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 } }
}
