import Images

@main enum Main {
  static func main() {
    let arguments = CommandLine.arguments
    if arguments.count > 1, arguments[1] == UnpackWorker.mode { UnpackWorker.main(arguments) }
  }
}
