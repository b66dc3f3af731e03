extension UnpackWorker {
  /// What the command line asks for.
  struct Request: Equatable {
    let job: Job
    var offset: UInt64?
    var size: UInt64?
    var platform = Platform.host
    /// A layout may lack layers: those that the store has were not fetched.
    var mayLackLayers = false
    /// A tar that is no image may be the root file system of one.
    var mayBeRoot = false
    /// What a tar stream is to become.
    var form = LayerForm.layer
    /// The number of the pipe that tells of a source's growth.
    var growth: Int32?

    var range: ByteRange { ByteRange(offset: offset, size: size) }

    init(_ job: Job, range: ByteRange = .everything) {
      self.job = job
      offset = range.offset
      size = range.size
    }

    var arguments: [String] {
      ["aurora-executor", UnpackWorker.mode, job.rawValue]
        + (offset.map { ["offset=\($0)"] } ?? []) + (size.map { ["size=\($0)"] } ?? [])
        + ["os=\(platform.os)", "architecture=\(platform.architecture)", "variant=\(platform.variant)"]
        + (mayLackLayers ? ["lacking=layers"] : []) + (mayBeRoot ? ["plain=root"] : [])
        + (form == .layer ? [] : ["form=\(form.rawValue)"]) + (growth.map { ["growth=\($0)"] } ?? [])
    }

    init(_ arguments: [String]) throws(ImageError) {
      let hint = "this mode is for the executor itself"
      guard arguments.count >= 3, let job = Job(rawValue: arguments[2]) else {
        throw .invalid("the unpack worker was started without a job", hint: hint)
      }
      self.job = job
      for argument in arguments.dropFirst(3) {
        let parts = argument.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw .invalid("the unpack worker does not know \(argument)", hint: hint) }
        let value = String(Substring(parts[1]))
        switch String(Substring(parts[0])) {
        case "offset": offset = try Request.number(value, hint)
        case "size": size = try Request.number(value, hint)
        case "os": platform.os = value
        case "architecture": platform.architecture = value
        case "variant": platform.variant = value
        case "lacking": mayLackLayers = true
        case "plain": mayBeRoot = true
        case "growth": growth = Int32(exactly: try Request.number(value, hint))
        case "form":
          guard let form = LayerForm(rawValue: value) else {
            throw .invalid("the unpack worker does not know \(argument)", hint: hint)
          }
          self.form = form
        default: throw .invalid("the unpack worker does not know \(argument)", hint: hint)
        }
      }
    }

    private static func number(_ text: String, _ hint: String) throws(ImageError) -> UInt64 {
      guard let number = UInt64(text) else {
        throw .invalid("the unpack worker was given \(text) for a number", hint: hint)
      }
      return number
    }
  }
}
