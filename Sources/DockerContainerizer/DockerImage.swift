import DockerEngineClient
import Images
import LinuxKernel
import RegistryCredentials
import TaskStore

/// The image of a Docker task: there, or pulled by the engine; and what exactly it is.
package struct DockerImage {
  package let engine: DockerEngine
  /// As the task names it, checked.
  package let reference: ImageReference
  package let platform: String?
  /// `--docker-config`.
  let configFile: String?
  private let tell: (String) -> Void

  package init(
    _ text: String, engine: DockerEngine, platform: String?, configFile: String?, tell: @escaping (String) -> Void
  )
    throws(ExecutorFailure)
  {
    self.engine = engine
    self.platform = platform
    self.configFile = configFile
    self.tell = tell
    do throws(ReferenceError) { reference = try ImageReference(text) } catch {
      throw ExecutorFailure(.failed, error.description)
    }
  }

  /// What the engine has under this name; `nil` when it has nothing. With a digest that is this digest or nothing.
  package func present() throws(ExecutorFailure) -> ImageDetails? {
    do throws(DockerEngineError) {
      return try engine.inspectImage(name)
    } catch  where error.status == 404 {
      return nil
    } catch {
      throw ExecutorFailure(error)
    }
  }

  /// The image, pulled when the policy says so.
  package func provide(_ policy: DockerRunOptions.PullPolicy, until signals: SharedDescriptor) throws(ExecutorFailure)
    -> ImageDetails
  {
    if policy != .always, let found = try present() { return try checked(found) }
    guard policy != .never else {
      throw ExecutorFailure(
        .failed, "the engine has no image \(name), and the parameter pull says never to pull it",
        hint: "`docker pull \(name)`, or leave the parameter out")
    }
    try pull(until: signals)
    guard let found = try present() else {
      throw ExecutorFailure(.failed, "the engine pulled \(name) and has no such image all the same")
    }
    return try checked(found)
  }

  /// As a result names it: the digest of the manifest where the image came from a registry, else of its configuration.
  package func named(_ details: ImageDetails) -> ProvisionedImage {
    let all = details.digests.compactMap { text in
      (try? ImageReference(text)).flatMap { found in found.digest.map { (found, $0.description) } }
    }
    // Of several names the one that was asked for counts.
    let own = all.first { $0.0.registry == reference.registry && $0.0.repository == reference.repository }
    return ProvisionedImage(
      reference: name, digest: reference.digest?.description ?? own?.1 ?? details.id.text, id: details.id.text)
  }

  package var name: String { reference.description }

  private func checked(_ details: ImageDetails) throws(ExecutorFailure) -> ImageDetails {
    guard details.os.isEmpty || details.os == "linux" else {
      throw ExecutorFailure(.failed, "the image \(name) is made for \(printable(details.os.utf8)), not for Linux")
    }
    // A name with a digest is a promise to run that and nothing else: what the engine found must say so itself.
    if let digest = reference.digest?.description {
      let known = details.digests.compactMap { (try? ImageReference($0))?.digest?.description } + [details.id.text]
      guard known.contains(digest) else {
        throw ExecutorFailure(
          .failed, "the engine has another image under the name \(name): \(details.id.text)",
          hint:
            "its digests are \(details.digests.isEmpty ? "unknown" : printable(details.digests.joined(separator: ", ").utf8))"
        )
      }
    }
    return details
  }

  private func pull(until signals: SharedDescriptor) throws(ExecutorFailure) {
    tell("pulling \(name)")
    var shown = PullProgress()
    defer { shown.finish() }
    do {
      let stream = try engine.pullImage(name, authorization: try authorization(), platform: platform)
      let poller = try Poller()
      try poller.add(signals.rawValue, token: 1)
      try poller.add(stream.descriptor, token: 2, write: stream.interest.contains(.write))
      while !stream.isFinished {
        // Deadlines of the engine's answer are looked at between waits.
        if try poller.wait(timeoutMilliseconds: 1000).contains(where: { $0.token == 1 }) {
          // The signal stays where it is. Without its reader the engine gives the pull up.
          stream.cancel()
          throw ExecutorFailure(.stopped, "stopped while the image \(name) was being pulled")
        }
        var news: [EngineProgress]
        repeat {
          news = try stream.advance()
          for progress in news { shown.take(progress) }
        } while !news.isEmpty
        if !stream.isFinished {
          try poller.modify(stream.descriptor, token: 2, read: true, write: stream.interest.contains(.write))
        }
      }
    } catch let failure as ExecutorFailure {
      throw failure
    } catch let error as CredentialError where error.kind != .interrupted {
      throw ExecutorFailure(
        .failed, "cannot pull the image \(name): \(error)",
        hint: "check the name, the registry, and for a private one `docker login` or --docker-config")
    } catch  where (error as? DockerEngineError)?.kind == .interrupted || error is CredentialError {
      throw ExecutorFailure(.stopped, "stopped while the image \(name) was being pulled")
    } catch let error as DockerEngineError {
      // The engine is there, and its registry or the image is not: that is the task's to answer for.
      throw ExecutorFailure(
        error.isUnavailable ? .unavailable : .failed, "cannot pull the image \(name): \(error)",
        hint: error.isUnavailable
          ? nil : "check the name, the registry, and for a private one `docker login` or --docker-config")
    } catch {
      throw ExecutorFailure(.internalError, "cannot wait for the engine: \(error)")
    }
  }

  private func authorization() throws(CredentialError) -> RegistryAuthorization? {
    var environment: [String: String] = [:]
    for name in ["DOCKER_CONFIG", "HOME", "PATH"] { environment[name] = HostEnvironment.variable(name) }
    let path = configFile ?? DockerConfigFile.defaultPath(environment: environment)
    guard let path else { return nil }
    let file = try DockerConfigFile(path: path, mustExist: configFile != nil)
    let found = try file.authorization(for: reference.registry, environment: environment, interrupt: engine.interrupt)
    if let warning = found.warning { tell("warning: \(warning)") }
    return found.authorization
  }
}
