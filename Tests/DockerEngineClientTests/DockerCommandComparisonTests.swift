import LinuxKernel
import StrictJSON
import Testing

@testable import DockerEngineClient

/// Docker's own command line client, from `AURORA_TEST_DOCKER_CLI`.
private let docker: String? = environmentValue("AURORA_TEST_DOCKER_CLI").map { String(cString: $0) }

/// The same options, once by Docker's client and once by ours: both must ask the engine for the same.
@Suite(.enabled(if: docker != nil, "set AURORA_TEST_DOCKER_CLI to the path of Docker's command line client"))
struct DockerCommandComparisonTests {
  /// Without what means the same as nothing: Docker's client writes out its defaults.
  private func essence(_ json: JSON, _ key: String = "") -> JSON? {
    switch json.value {
    case .null: return nil
    case .bool(let truth):
      // Only these tell "false" from "not set".
      return truth || key == "Init" ? json : nil
    case .number(let number): return number.integer == 0 && key != "StopTimeout" && key != "Soft" ? nil : json
    case .string(let text): return text.isEmpty ? nil : json
    case .array(let items):
      if key == "MaskedPaths" || key == "ReadonlyPaths" { return json }
      let kept = items.map { $0.string != nil ? $0 : essence($0) ?? $0 }
      // Docker's client keeps volumes in a map and gives them in any order.
      return kept.isEmpty ? nil : JSON(key == "Binds" ? kept.sorted { $0.compact < $1.compact } : kept)
    case .object(let members):
      let sets = ["ExposedPorts", "Volumes", "Tmpfs"].contains(key)
      let kept: [(String, JSON?)] = members.sorted { $0.key < $1.key }.map {
        ($0.key, sets ? $0.value : essence($0.value, $0.key))
      }
      let object = JSON(object: kept)
      return object.members?.isEmpty == true ? nil : object
    }
  }

  private func normalized(_ json: JSON) -> [String: String] {
    var flat: [String: String] = [:]
    for member in essence(json)?.members ?? [] {
      switch member.key {
      case "AttachStdout", "AttachStderr": break  // the engine only notes it
      case "HostConfig":
        for field in member.value.members ?? [] {
          let text = field.value.compact
          // Defaults that the client writes out.
          let defaults = [
            "NetworkMode": "\"default\"", "MemorySwappiness": "-1", "ConsoleSize": "[0,0]",
            "RestartPolicy": "{\"Name\":\"no\"}",
          ]
          if defaults[field.key] != text { flat["HostConfig.\(field.key)"] = text }
        }
      default: flat[member.key] = member.value.compact
      }
    }
    return flat
  }

  private func asked(_ parameters: [(String, String)]) throws -> JSON? {
    let body = Locked<JSON?>(nil)
    let engine = try ScriptedEngine { connection in
      while let request = connection.request() {
        if request.contains("/_ping") {
          let head = request.utf8.starts(with: "HEAD".utf8)
          connection.send(
            "HTTP/1.1 200 OK\r\nApi-Version: 1.48\r\nOstype: linux\r\nContent-Length: \(head ? 0 : 2)\r\n\r\n")
          if !head { connection.send("OK") }
        } else if request.contains("/containers/create") {
          if let start = request.firstRange(of: "\r\n\r\n") {
            let json = try? JSON(parsing: Array(request[start.upperBound...].utf8))
            body.withLock { $0 = json }
          }
          connection.reply("201 Created", #"{"Id":"\#(someID())","Warnings":[]}"#)
        } else {
          connection.reply("404 Not Found", #"{"message":"no"}"#)
        }
      }
    }
    let options = parameters.map { name, value in
      let dashes = name.utf8.count == 1 ? "-" : "--"
      return name.utf8.count == 1 ? "\(dashes)\(name)\(value)" : "\(dashes)\(name)=\(value)"
    }
    let null = try openFile("/dev/null", 2)
    var command = SpawnRequest(
      executable: .path(docker ?? ""),
      arguments: ["docker", "-H", "unix://\(engine.path)", "create"] + options + ["i"],
      descriptors: [null.rawValue, null.rawValue, null.rawValue])
    command.environment = ["HOME=/nonexistent", "PATH=/usr/bin:/bin"]
    let child = try command.spawn()
    _ = try child.wait()
    return body.withLock { $0 }
  }

  private static let cases: [[(String, String)]] =
    RunOptionTests.host.filter { !["init", "kernel-memory", "quiet", "annotation"].contains($0.0) || $0.1 == "false" }
    .map { [($0.0, $0.1.isEmpty ? "true" : $0.1)] }
    + RunOptionTests.container.filter { !($0.0 == "entrypoint" && $0.1.isEmpty) && $0.1 != "80-81/UDP" }.map {
      name, value, _, _ in
      [(name, value.isEmpty ? "true" : value)]
    }
    + RunOptionTests.ports.map { [("publish", $0.0)] }
    + [
      [("volume", "/a:/a"), ("volume", "/b:/b:ro"), ("volume", "/c"), ("volume", "named:/d")],
      [("network", "name=front,alias=a,driver-opt=k=v"), ("network", "back"), ("ip", "10.0.0.2"), ("link", "db:d")],
      [("network", "net"), ("network-alias", "x"), ("ip6", "fd00::2"), ("link-local-ip", "169.254.1.2")],
      [("network", "net"), ("mac-address", "02:00:00:00:00:01")], [("mac-address", "02:00:00:00:00:01")],
      [("publish", "80:80"), ("publish", "81:80"), ("expose", "80-82")], [("env", "A=1"), ("env", "A=2")],
      [("log-driver", "json-file"), ("log-opt", "max-size=10m"), ("log-opt", "tag=x")],
      [("ulimit", "nproc=5"), ("ulimit", "core=1:2"), ("ulimit", "nproc=6")],
      [("health-cmd", "x"), ("health-interval", "10s"), ("health-retries", "2")], [("init", "true")],
      [("annotation", "a=b")],
    ]

  @Test(arguments: 0..<cases.count) func bothClientsAskForTheSame(index: Int) throws {
    let parameters = Self.cases[index]
    var ours = ContainerCreateRequest(image: "i")
    try DockerRunOptions.apply(parameters: parameters.map { (name: $0.0, value: $0.1) }, to: &ours)
    let theirs = try #require(try asked(parameters), "docker itself refused \(parameters)")
    #expect(normalized(ours.json(for: APIVersion(1, 48))) == normalized(theirs), "\(parameters)")
  }

  @Test(arguments: 0..<RunOptionTests.bad.count) func whatDockerTakesAndWeRefuseIsKnown(index: Int) throws {
    let (name, value) = RunOptionTests.bad[index]
    if value.utf8.contains(0) || value.isEmpty { return }
    guard try asked([(name, value)]) != nil else { return }
    // Docker's client sends these and leaves it to the engine to refuse them, or to a working directory to complete
    // them.
    let onPurpose = [
      "volume", "mount", "tmpfs", "publish", "device", "gpus", "network", "sysctl", "ipc", "pids-limit",
      "oom-score-adj", "blkio-weight", "memory", "cpus", "dns", "log-opt", "link", "ulimit", "security-opt", "hostname",
      "ip", "ip6", "cap-add",
    ]
    #expect(onPurpose.contains(name), "docker accepts \(name)=\(value)")
  }
}
