import StrictJSON
import Testing

@testable import TaskModel

/// What is refused, and how it is said.
@Suite struct FaultTests {
  /// A bare task around the members of one process.
  private func oneProcess(_ members: String) -> String { #"{"processes":[{"name":"p","cmdline":"true"\#(members)}]}"# }

  @Test func everyFaultOfADocumentIsSaidAtOnceWithItsPlace() {
    let text = """
      {
        "name": "t",
        "processes": [
          {"name": "a", "cmdline": "true", "max_failurs": 2},
          {"name": "a", "cmdline": 7},
          {"name": ".b", "cmdline": "true", "min_duration": -1}
        ],
        "constraints": [{"order": ["a", "x"]}, {"order": []}, {}],
        "max_failures": "1"
      }
      """
    #expect(
      faults(text) == [
        "4:38: processes[0]: unknown key \"max_failurs\" (did you mean \"max_failures\"?)",
        "5:14: processes[1].name: a second process named \"a\"",
        "5:30: processes[1].cmdline: expected a string, found a number",
        "6:14: processes[2].name: \".b\" starts with a dot",
        "6:55: processes[2].min_duration: -1 is out of range: from 0 to 1000000000",
        "8:35: constraints[0].order[1]: no process is named \"x\"",
        "8:52: constraints[1].order: is empty", "8:57: constraints[2]: \"order\" is missing",
        "9:19: max_failures: expected an integer, found a string",
      ])
  }

  @Test(arguments: [
    (#","max_failures":1.5"#, "processes[0].max_failures: expected an integer, found 1.5"),
    (#","max_failures":-1"#, "processes[0].max_failures: -1 is out of range: from 0 to 2147483647"),
    (
      #","max_failures":99999999999999999999"#,
      "processes[0].max_failures: 99999999999999999999 is out of range: from 0 to 2147483647"
    ),
    (#","max_failures":1e999"#, "processes[0].max_failures: 1e999 is out of range: from 0 to 2147483647"),
    (#","max_failures":true"#, "processes[0].max_failures: expected an integer, found a boolean"),
    (#","max_failures":null"#, "processes[0].max_failures: expected an integer, found null"),
    (#","min_duration":1e999"#, "processes[0].min_duration: 1e999 is out of range: from 0 to 1000000000"),
    (#","min_duration":"5""#, "processes[0].min_duration: expected a number, found a string"),
    (#","daemon":2"#, "processes[0].daemon: expected a boolean, found a number"),
    (#","daemon":"true""#, "processes[0].daemon: expected a boolean, found a string"),
    (#","after":"p""#, "processes[0].after: expected an array or an object, found a string"),
    (#","logger":[]"#, "processes[0].logger: expected an object, found an array"),
    (
      #","logger":{"mode":"rotated"}"#,
      "processes[0].logger.mode: \"rotated\" is not known here; one of standard, rotate (did you mean \"rotate\"?)"
    ),
    (
      #","logger":{"rotate":{"log_size":0}}"#,
      "processes[0].logger.rotate.log_size: 0 is out of range: from 1 to 1125899906842624"
    ),
    (#","stop_signal":"SIGTREM""#, "processes[0].stop_signal: \"SIGTREM\" is no signal (as in \"SIGTERM\")"),
    (#","stop_signal":65"#, "processes[0].stop_signal: 65 is no signal: from 1 to 64"),
    (#","success_exit_codes":[]"#, "processes[0].success_exit_codes: is empty"),
    (#","success_exit_codes":[256]"#, "processes[0].success_exit_codes[0]: 256 is out of range: from 0 to 255"),
    (#","backoff":{"factor":0.5}"#, "processes[0].backoff.factor: 0.5 is out of range: from 1 to 1000"),
  ])
  func aFieldTakesWhatItIsFor(members: String, fault: String) {
    let found = faults(oneProcess(members))
    #expect(found.count == 1)
    #expect(found.first?.hasSuffix(fault) == true, "\(found)")
  }

  @Test(arguments: [
    ("", "is empty"), (".x", "starts with a dot"), ("..", "starts with a dot"), ("/x", "contains a slash"),
    ("a/b", "contains a slash"), (#"a\u0000b"#, "contains a NUL character"), (#"a\nb"#, "contains a control character"),
    (String(repeating: "x", count: 256), "is 256 bytes long; at most 255 are possible"),
    // A slash that carries an accent is a slash all the same.
    ("a/\u{301}b", "contains a slash"), (".\u{301}x", "starts with a dot"),
  ])
  func aNameThatIsNoDirectoryIsRefused(name: String, fault: String) {
    let found = faults(#"{"processes":[{"name":"\#(name)","cmdline":"true"}]}"#)
    #expect(found.count == 1)
    #expect(found.first?.utf8.elementsEqual("".utf8) == false && found[0].contains(fault), "\(found)")
  }

  @Test func namesThatThermosAllowsAreAllowed() throws {
    for name in ["a b", "ä", "a..b", "-x", "%d", String(repeating: "x", count: 255)] {
      #expect(faults(#"{"processes":[{"name":"\#(name)","cmdline":"true"}]}"#) == [])
    }
  }

  @Test func namesThatOnlyLookDifferentAreTwins() {
    let text = #"{"processes":[{"name":"\u00e9","cmdline":"x"},{"name":"e\u0301","cmdline":"x"}]}"#
    #expect(faults(text).count == 1)
    #expect(faults(text).first?.contains("looks like that of another process") == true)
  }

  @Test(arguments: [
    (
      #"{"name":"a","cmdline":""},{"name":"b","cmdline":""}"#, #"{"order":["a","b"]},{"order":["b","a"]}"#,
      "processes wait for each other: a -> b -> a"
    ),
    (#"{"name":"a","cmdline":""}"#, #"{"order":["a","a"]}"#, "processes wait for each other: a -> a"),
    (
      #"{"name":"a","cmdline":"","after":["b"]},{"name":"b","cmdline":""}"#, #"{"order":["a","b"]}"#,
      "processes wait for each other: a -> b -> a"
    ),
    (
      #"{"name":"a","cmdline":"","daemon":true},{"name":"b","cmdline":""}"#, #"{"order":["a","b"]}"#,
      "\"b\" could never start: \"a\" is a daemon and never finishes"
    ),
    (
      #"{"name":"a","cmdline":"","ephemeral":1},{"name":"b","cmdline":""}"#, #"{"order":["a","b"]}"#,
      "\"b\" may not wait for \"a\", which is ephemeral"
    ),
    (
      #"{"name":"a","cmdline":""},{"name":"b","cmdline":"","final":true}"#, #"{"order":["a","b"]}"#,
      "an order mixes regular and final processes: \"a\" is regular, \"b\" is not (final processes always run after the regular ones)"
    ),
    (#"{"name":"a","cmdline":""}"#, #"{"order":["x","y"]}"#, "no process is named \"x\""),
    (#"{"name":"a","cmdline":"","after":["nobody"]}"#, "", "processes[0].after[0]: no process is named \"nobody\""),
    (#"{"name":"a","cmdline":"","after":{"no":"started"}}"#, "", "processes[0].after.no: no process is named \"no\""),
    (
      #"{"name":"a","cmdline":"","after":{"b":"healthy"}},{"name":"b","cmdline":""}"#, "",
      "nothing says when \"b\" is healthy"
    ),
    (
      #"{"name":"a","cmdline":"","after":{"b":"finished"}},{"name":"b","cmdline":"","daemon":true}"#, "",
      "\"a\" could never start: \"b\" is a daemon"
    ),
    (
      #"{"name":"a","cmdline":"","after":{"b":"started"}},{"name":"b","cmdline":"","after":{"a":"started"}}"#, "",
      "processes wait for each other: a -> b -> a"
    ),
    (#"{"name":"a","cmdline":"","after":{"b":"ready"}}"#, "", "\"ready\" is not known here; one of started, healthy"),
  ])
  func anOrderThatCannotBeIsRefused(processes: String, constraints: String, fault: String) {
    let found = faults(#"{"processes":[\#(processes)],"constraints":[\#(constraints)]}"#)
    #expect(found.first?.contains(fault) == true, "\(found)")
  }

  @Test func aDocumentThatIsNoTaskIsRefused() {
    #expect(faults("") == ["1:1: the document is empty"])
    #expect(faults("[]") == ["1:1: expected an object, found an array"])
    #expect(
      faults("{}") == [
        "1:1: processes: no process, and no image whose own command could be run",
        "1:1: \"name\" is missing, and there is no process to name the task after",
      ])
    #expect(faults(#"{"a":1,"a":2}"#) == ["1:8: duplicate key \"a\""])
    #expect(faults(#"{"processes":[{"name":"p","cmdline":"x"}]} x"#).count == 1)
    #expect(faults(String(repeating: " ", count: 5 << 20)).count == 1)
  }

  @Test func aJobNeedsWhatAuroraNeeds() {
    let text = #"{"name":"j","task":{"processes":[{"name":"p","cmdline":"x"}]}}"#
    #expect(
      faults(text) == [
        "1:1: \"role\" is missing", "1:1: \"cluster\" is missing", "1:1: \"environment\" is missing",
      ])
  }

  @Test(arguments: [
    "", "-root", "1000", "a b", "a/b", "a:b", "root\\n", "\\u00e4", "..", String(repeating: "r", count: 33),
  ])
  func aRoleIsTheNameOfAnAccount(role: String) {
    let text = #"{"role":"\#(role)","instance":0,"task":{"processes":[{"name":"p","cmdline":"x"}]}}"#
    #expect(faults(text).count == 1)
  }

  @Test func theRoleOfTheCommandLineIsCheckedToo() throws {
    let found = try bindingFaults(oneProcess(""), Bindings(taskID: "t", role: "a:b", hostname: "h"))
    #expect(found == ["the role \"a:b\" contains something else than letters, digits, \"_\", \".\" and \"-\""])
  }

  @Test func aCommandLineMustFitIntoOneArgument() {
    let text = oneProcess("").replacing("true", with: String(repeating: "x", count: 131_072))
    #expect(faults(text).first?.contains("is 131072 bytes long; at most 131071 are possible") == true)
  }

  @Test func messagesCannotBeForged() {
    let found = faults(#"{"processes":[{"name":"p","cmdline":"x","a\u001b[2J\nb\u202e":1}]}"#)
    #expect(found == [#"1:41: processes[0]: unknown key "a\u{1b}[2J\u{a}b\u{202e}""#])
  }

  /// Changes bytes of good documents at random: whatever comes of it is read or refused.
  @Test func noBytesAreTooMuch() {
    var dice = MachinePropertyTests.Dice(state: 7)
    let signs = Array("{}[],:\"\\u0-9.e&".utf8)
    for _ in 0..<2000 {
      var bytes = Array(auroraJob.utf8)
      for _ in 0..<Int.random(in: 1...6, using: &dice) {
        let place = bytes.indices.randomElement(using: &dice) ?? 0
        switch Int.random(in: 0..<4, using: &dice) {
        case 0: bytes.remove(at: place)
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &dice)
        case 2: bytes.insert(signs.randomElement(using: &dice) ?? 0, at: place)
        default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 30)], at: place)
        }
      }
      let (document, diagnostics) = TaskDocument.decode(bytes)
      #expect((document == nil) == diagnostics.hasErrors)
      _ = document?.bind(someBindings)
    }
  }

  @Test func manyWarningsDoNotHideAnError() {
    let unknown = (0..<2000).map { #""k\#($0)":1"# }.joined(separator: ",")
    let (document, diagnostics) = TaskDocument.decode(Array(#"{"processes":[],\#(unknown)}"#.utf8))
    #expect(document == nil)
    #expect(diagnostics.hasErrors)
    #expect(diagnostics.count < 1100)
  }

  @Test(.timeLimit(.minutes(1))) func aLargeDocumentIsReadInOneGo() throws {
    let processes = (0..<10_000).map {
      #"{"name":"process-\#($0)","cmdline":"echo {{name}} {{thermos.ports[p\#($0 % 7)]}}","max_failures":\#($0 % 5)}"#
    }
    let order = (0..<10_000).map { "\"process-\($0)\"" }.joined(separator: ",")
    let text = #"{"name":"t","processes":[\#(processes.joined(separator: ","))],"constraints":[{"order":[\#(order)]}]}"#
    let ports = Dictionary(uniqueKeysWithValues: (0..<7).map { ("p\($0)", 31_000 + $0) })
    let task = try bound(text, Bindings(taskID: "t", role: "nobody", hostname: "h", ports: ports))
    #expect(task.processes.last?.command == "echo process-9999 31003")
  }

  /// Documents made to take for ever, and what is said of them.
  private static let bombs: [String: (make: @Sendable () -> String, fault: String)] = [
    "references that multiply": (
      {
        var members = #""m0":"{{constraints[m1]}}{{constraints[m1]}}""#
        for level in 1..<30 {
          members += #","m\#(level)":"{{constraints[m\#(level + 1)]}}{{constraints[m\#(level + 1)]}}""#
        }
        return #"{"role":"r","cluster":"c","environment":"e","name":"n","constraints":{\#(members),"m30":""},"#
          + #""task":{"processes":[{"name":"p","cmdline":"{{constraints[m0]}}"}]}}"#
      }, "references make more than"
    ),
    "unknown keys": ({ "{" + (0..<100_000).map { #""k\#($0)":1"# }.joined(separator: ",") + "}" }, "unknown key"),
    "ports": (
      {
        let ports = (0..<50_000).map { "{{thermos.ports[p\($0)]}}" }.joined()
        return #"{"processes":[{"name":"p","cmdline":"\#(ports)"}]}"#
      }, "refers to more than 1000 ports"
    ),
    "aliases of ports": (
      {
        let loop = (0..<20_000).map { #""a\#($0)":"a\#(($0 + 1) % 20_000)""# }.joined(separator: ",")
        return #"{"announce":{"portmap":{\#(loop)}},"processes":[{"name":"p","cmdline":"x"}]}"#
      }, "has 20000 names; at most 1000 are possible"
    ),
    "unknown names in an order": (
      {
        let processes = (0..<5000).map { #"{"name":"process-\#($0)","cmdline":""}"# }.joined(separator: ",")
        let names = (0..<50_000).map { #""proces-\#($0)""# }.joined(separator: ",")
        return #"{"processes":[\#(processes)],"constraints":[{"order":[\#(names)]}]}"#
      }, "no process is named"
    ),
    "loops": (
      {
        let names = (0..<3000).map { #""p\#($0)""# }
        let processes = names.map { #"{"name":\#($0),"cmdline":""}"# }.joined(separator: ",")
        let order = #"{"order":[\#(names.joined(separator: ",")),"p0"]}"#
        let back = names.dropFirst().map { #"{"order":[\#($0),"p0"]}"# }.joined(separator: ",")
        return #"{"processes":[\#(processes)],"constraints":[\#(order),\#(back)]}"#
      }, "processes wait for each other"
    ),
    "depth": ({ #"{"processes":"# + String(repeating: "[", count: 100_000) }, "nested deeper than 64 levels"),
  ]

  @Test(.timeLimit(.minutes(1)), arguments: bombs.keys.sorted())
  func hostileDocumentsEndInAnErrorSoon(name: String) throws {
    let bomb = try #require(Self.bombs[name])
    #expect(faults(bomb.make()).contains { $0.contains(bomb.fault) })
  }
}
