import CFuzzer

// usage: Fuzz TARGET [libFuzzer's own options and directories]. `scripts/fuzz` builds and runs it.
guard CommandLine.arguments.count > 1, let target = FuzzTarget(rawValue: CommandLine.arguments[1]) else {
  print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
  exitProcess(CommandLine.arguments.count > 1 ? 64 : 0)
}
FuzzTarget.current = target

// libFuzzer sees the words after the target's name as its own.
var words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
var count = CommandLine.argc - 1
exitProcess(
  LLVMFuzzerRunDriver(&count, &words) { data, size in
    FuzzTarget.current.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
  })
