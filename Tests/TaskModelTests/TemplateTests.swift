import Testing

@testable import TaskModel

@Suite struct TemplateTests {
  private func command(_ text: String, _ bindings: Bindings = someBindings) throws -> String? {
    try bound(#"{"name":"t","processes":[{"name":"p","cmdline":"\#(text)"}]}"#, bindings).processes[0].command
  }

  private let full = Bindings(
    taskID: "t-1", role: "www-data", instance: 3, hostname: "h.example", cluster: "c1", environment: "devel",
    ports: ["http": 31_000], custom: [("x", "1"), ("x", "2"), ("a.b[c]", "odd")],
    dockerImages: [.init(name: "library/python", tag: "3.11", value: "library/python@sha256:00")])

  @Test(arguments: [
    ("{{thermos.task_id}}", "t-1"), ("{{thermos.user}}", "www-data"), ("{{thermos.ports[http]}}", "31000"),
    ("{{mesos.instance}}", "3"), ("{{mesos.hostname}}", "h.example"), ("{{mesos.role}}", "www-data"),
    ("{{mesos.cluster}}", "c1"), ("{{docker.image[library/python][3.11]}}", "library/python@sha256:00"),
    // Its own members, also those that have their default, and those of the objects around it.
    ("{{name}}", "p"), ("{{max_failures}} {{min_duration}} {{daemon}}", "1 5 false"), ("{{finalization_wait}}", "30"),
    ("{{processes[0].name}}", "p"),
    ("{{x}} {{a.b[c]}}", "2 odd"),
    // What is no reference stays as it is.
    ("{{&x}} {{&.Names}} {{& y }}", "{{x}} {{.Names}} {{ y }}"), ("{{}} {{{ {x} }} {{", "{{}} {{{ {x} }} {{"),
    ("awk {print}", "awk {print}"),
  ])
  func referencesAreBound(text: String, result: String) throws {
    #expect(try command(text, full) == result)
  }

  @Test(arguments: [
    ("{{nothing}}", "unbound reference {{nothing}} (give it with --bind nothing=VALUE)"),
    (
      "{{thermos.ports[https]}}",
      "unbound reference {{thermos.ports[https]}} (give it with --port https:NUMBER or --port https:auto)"
    ),
    ("{{processes}}", "unbound reference {{processes}} (give it with --bind processes=VALUE)"),
    (
      "{{mesos.cluster}}",
      "unbound reference {{mesos.cluster}} (the document names no cluster; give it with --bind mesos.cluster=NAME)"
    ),
    ("{{docker.image[a][b]}}", "unbound reference {{docker.image[a][b]}} (it could not be resolved to a digest)"),
    ("{{cmdline}}", "unbound reference {{cmdline}} (it leads back to itself)"),
  ])
  func whatStaysUnboundIsNamed(text: String, fault: String) throws {
    let found = try bindingFaults(#"{"name":"t","processes":[{"name":"p","cmdline":"\#(text)"}]}"#)
    #expect(found == ["1:48: processes[0].cmdline: \(fault)"])
  }

  @Test func aRoleOfTheDocumentThatIsNoneHasItsPlace() throws {
    let text = """
      {"task":{"processes":[{"name":"a","cmdline":"x"}]},
       "role":"r{{thermos.ports[http]}}e","instance":0}
      """
    let found = try document(text).check().map(\.description)
    #expect(found.allSatisfy { $0.hasPrefix("2:9: role: ") } && !found.isEmpty, "\(found)")
  }

  @Test func everyUnboundReferenceIsNamedAtOnce() throws {
    let text = """
      {"name": "t", "processes": [{"name": "p", "cmdline": "{{a}} {{b}}"},
        {"name": "{{c}}", "cmdline": "true"}]}
      """
    #expect(
      try bindingFaults(text).map { $0.prefix { $0 != "(" } } == [
        "1:54: processes[0].cmdline: unbound reference {{a}} ", "1:54: processes[0].cmdline: unbound reference {{b}} ",
        "2:12: processes[1].name: unbound reference {{c}} ",
      ])
  }

  @Test(arguments: [
    ("{{thermos.ports.http}}", "unknown reference {{thermos.ports.http}} (a port is {{thermos.ports[http]}})"),
    ("{{thermos.taskid}}", "unknown reference {{thermos.taskid}} (did you mean {{thermos.task_id}}?)"),
    ("{{.Names}}", "{{.Names}} is no reference ({{&.Names}} keeps the braces)"),
    ("{{a b}}", "{{a b}} is no reference ({{&a b}} keeps the braces)"),
    ("{{a[{{mesos.instance}}]}}", "a reference inside of another: {{a[}} (references cannot be nested)"),
  ])
  func whatCanNeverBeBoundIsRefusedAtOnce(text: String, fault: String) {
    let found = faults(#"{"name":"t","processes":[{"name":"p","cmdline":"\#(text)"}]}"#)
    #expect(found == ["1:48: processes[0].cmdline: \(fault)"])
  }

  @Test func innerMembersWinOverOuterOnesAndBindings() throws {
    let text = #"""
      {"role":"svc","cluster":"c","environment":"e","name":"job","task":{"name":"task","processes":[
        {"name":"p","cmdline":"{{name}} {{role}} {{task.name}} {{environment}}"}]}}
      """#
    let task = try bound(text, Bindings(taskID: "t", hostname: "h", custom: [("name", "no"), ("role", "no")]))
    #expect(task.processes[0].command == "p svc task e")
  }

  @Test func membersThatReferToOthersAreBoundInTheirOwnPlace() throws {
    let text = #"""
      {"name":"t-{{mesos.instance}}","processes":[{"name":"{{name}}-p","cmdline":"{{name}} {{after[0]}}","after":["q"]},
        {"name":"q","cmdline":"x"}]}
      """#
    // A name that refers to a name means the one around it.
    #expect(try bound(text, Bindings(taskID: "t", instance: 4, hostname: "h")).processes[0].command == "t-4-p q")
  }

  @Test func namesAreCheckedAfterTheyAreBound() throws {
    let text = #"{"name":"t","processes":[{"name":"a-{{x}}","cmdline":"x"},{"name":"a-1","cmdline":"x"}]}"#
    let bindings = { Bindings(taskID: "t", hostname: "h", custom: [("x", $0)]) }
    #expect(try bindingFaults(text, bindings("2")) == [])
    #expect(try bindingFaults(text, bindings("1")) == ["1:67: processes[1].name: a second process named \"a-1\""])
    #expect(try bindingFaults(text, bindings("/")) == ["1:34: processes[0].name: \"a-/\" contains a slash"])
  }

  @Test func ordersMayNameProcessesByTemplates() throws {
    let text = #"""
      {"name":"t","processes":[{"name":"a-{{thermos.task_id}}","cmdline":"x"},{"name":"b","cmdline":"x"}],
       "constraints":[{"order":["a-{{thermos.task_id}}","b"]}]}
      """#
    #expect(try bound(text).orders == [["a-t-1", "b"]])
  }

  @Test func whatASchedulerReadsIsNotBound() throws {
    let text = #"""
      {"role":"svc","cluster":"c","environment":"e","name":"job","contact":"{{who}}","executor_config":{"data":"{{x}}"},
       "task":{"processes":[{"name":"p","cmdline":"x"}]}}
      """#
    #expect(try bound(text).jobName == "job")
  }

  @Test func portsAreFoundThroughTheirAliases() throws {
    let text = #"""
      {"name":"t","announce":{"primary_port":"web","portmap":{"aurora":"{{primary_port}}","admin":"aurora","fixed":"8080"}},
       "lifecycle":{"http":{"port":"admin"}},
       "processes":[{"name":"p","cmdline":"{{thermos.ports[admin]}} {{thermos.ports[fixed]}} {{thermos.ports[web]}}"}]}
      """#
    #expect(try document(text).referencedPorts == ["web"])
    let task = try bound(text, Bindings(taskID: "t", hostname: "h", ports: ["web": 31_005]))
    #expect(task.processes[0].command == "31005 8080 31005")
    #expect(task.ports == ["web": 31_005, "admin": 31_005, "aurora": 31_005, "fixed": 8080])
    #expect(task.lifecycle?.port == 31_005)
  }

  @Test func portsThatStandForEachOtherAreRefused() {
    let text = #"""
      {"announce":{"portmap":{"a":"b","b":"a"}},"processes":[{"name":"p","cmdline":"x"}]}
      """#
    #expect(faults(text).first?.contains("announce.portmap: ports that stand for each other: a -> b -> a") == true)
  }

  @Test func imagesWhoseDigestIsAskedForAreListed() throws {
    let text = #"""
      {"container":{"docker":{"image":"{{docker.image[library/python][3.11]}}"}},
       "processes":[{"name":"p","cmdline":"x"}]}
      """#
    #expect(try document(text).referencedImages == [.init(name: "library/python", tag: "3.11", value: "")])
    #expect(try bound(text, full).container == .docker(DockerContainer(image: "library/python@sha256:00")))
  }

  @Test func aBindingOfTheUserWinsOverOneOfTheExecutor() throws {
    let bindings = Bindings(taskID: "t", hostname: "h", custom: [("mesos.cluster", "c9"), ("mesos.hostname", "other")])
    #expect(try command("{{mesos.cluster}} {{mesos.hostname}}", bindings) == "c9 other")
  }

  @Test func aDocumentCanBeCheckedWithoutARun() throws {
    let text = #"""
      {"container":{"docker":{"image":"{{docker.image[a][b]}}"}},"processes":[{"name":"p-{{thermos.task_id}}",
        "cmdline":"{{thermos.ports[http]}} {{mesos.instance}} {{mesos.cluster}} {{thermos.user}} {{x}}"}]}
      """#
    #expect(try document(text).check(custom: [("x", "1")]) == [])
    #expect(try document(text).check().map(\.message) == ["unbound reference {{x}}"])
  }

  @Test func aBoundDocumentCanBeShown() throws {
    let text = #"{"name":"t","processes":[{"name":"p","cmdline":"{{name}} {{&x}}"}],"max_failures":2}"#
    let (json, diagnostics) = try document(text).rendered(someBindings)
    #expect(diagnostics == [])
    #expect(json?.compact == #"{"name":"t","processes":[{"name":"p","cmdline":"p {{x}}"}],"max_failures":2}"#)
  }
}
