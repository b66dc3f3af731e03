import StrictJSON
import Testing

@testable import DockerEngineClient

@Suite struct CreateRequestTests {
  @Test func onlyWhatIsSetIsSent() {
    #expect(
      ContainerCreateRequest(image: "x").json(for: APIVersion(1, 41)).compact == #"{"Image":"x","HostConfig":{}}"#)
  }

  @Test func everyFieldHasTheEnginesName() {
    var request = ContainerCreateRequest(image: "i")
    request.spec.command = []
    request.spec.entrypoint = ["/init", "--x"]
    request.spec.environment = ["A=1"]
    request.spec.labels = ["b": "2", "a": "1"]
    request.spec.exposedPorts = ["80/tcp"]
    request.spec.healthcheck = Healthcheck.none
    request.hostConfig.binds = ["/a:/b:ro"].compactMap(Bind.init)
    var mount = MountSpec(.bind, source: "/s", target: "/t")
    mount.readOnly = true
    mount.propagation = "rslave"
    request.hostConfig.mounts = [mount]
    request.hostConfig.resources.memory = 1 << 30
    request.hostConfig.resources.cpuQuota = 50000
    request.hostConfig.resources.pidsLimit = 100
    request.hostConfig.resources.blkioReadBytes = [ContainerResources.DeviceRate(path: "/dev/sda", value: 1024)]
    request.hostConfig.portBindings = ["80/tcp": [PortBinding(hostPort: "8080")]]
    request.hostConfig.devices = [DeviceMapping(hostPath: "/dev/fuse")]
    var gpus = DeviceRequest()
    gpus.count = -1
    gpus.capabilities = [["gpu"]]
    request.hostConfig.deviceRequests = [gpus]
    request.hostConfig.ulimits = [Ulimit(name: "nofile", soft: 1024, hard: 2048)]
    request.hostConfig.initProcess = false
    request.hostConfig.maskedPaths = []
    request.hostConfig.logConfig = LogConfig(driver: "none")
    request.hostConfig.restartPolicy = RestartPolicy(name: "no")
    var endpoint = EndpointSettings()
    endpoint.aliases = ["web"]
    request.networks = ["net": endpoint]
    let expected =
      #"{"Image":"i","Cmd":[],"Entrypoint":["/init","--x"],"Env":["A=1"],"Labels":{"a":"1","b":"2"},"#
      + #""ExposedPorts":{"80/tcp":{}},"Healthcheck":{"Test":["NONE"]},"HostConfig":{"CpuQuota":50000,"#
      + #""Memory":1073741824,"PidsLimit":100,"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1024}],"#
      + #""Binds":["/a:/b:ro"],"Mounts":[{"Type":"bind","Source":"/s","Target":"/t","ReadOnly":true,"#
      + #""BindOptions":{"Propagation":"rslave"}}],"MaskedPaths":[],"#
      + #""PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"#
      + #""Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"}],"#
      + #""DeviceRequests":[{"Count":-1,"Capabilities":[["gpu"]]}],"#
      + #""Ulimits":[{"Name":"nofile","Soft":1024,"Hard":2048}],"Init":false,"#
      + #""LogConfig":{"Type":"none","Config":{}},"RestartPolicy":{"Name":"no"}},"#
      + #""NetworkingConfig":{"EndpointsConfig":{"net":{"Aliases":["web"]}}}}"#
    #expect(request.json(for: APIVersion(1, 41)).compact == expected)
  }

  @Test func whatTheEngineIsTooOldForIsRefused() {
    var request = ContainerCreateRequest(image: "i")
    request.hostConfig.annotations = ["a": "b"]
    let error = failure { () throws(DockerEngineError) in try request.check(for: APIVersion(1, 41)) }
    #expect(error?.description == "an annotation needs API 1.43, but the engine is spoken to in 1.41")
    #expect(throws: Never.self) { try request.check(for: APIVersion(1, 43)) }
  }

  @Test func theMACAddressGoesWhereTheVersionWantsIt() {
    var request = ContainerCreateRequest(image: "i")
    request.spec.macAddress = "02:00:00:00:00:01"
    request.hostConfig.networkMode = "net"
    #expect(request.json(for: APIVersion(1, 43))["MacAddress"]?.string == "02:00:00:00:00:01")
    let new = request.json(for: APIVersion(1, 44))
    #expect(new["MacAddress"] == nil)
    #expect(
      new["NetworkingConfig"]?["EndpointsConfig"]?["net"]?["MacAddress"]?.string == "02:00:00:00:00:01")
  }

  @Test func aRequestTooLargeForAnyEngineIsNotSent() {
    let request = HTTPRequest("POST", "/x", "create", deadlines: Deadlines())
    let error = failure { () throws(DockerEngineError) in
      try request.with(JSON(String(repeating: "x", count: 1 << 20)))
    }
    #expect(error?.kind == .invalidRequest)
  }

  @Test func aHeadCannotBecomeTwo() {
    var request = HTTPRequest("GET", "/x", "look", deadlines: Deadlines())
    request.fields = [("X", "a\r\nY: b")]
    #expect(throws: DockerEngineError.self) { try request.head() }
  }
}
