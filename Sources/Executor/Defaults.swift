/// Where everything is unless the command line says otherwise.
enum Defaults {
  static let workDirectory = "/var/lib/aurora-executor"
  static let runDirectory = "/run/aurora-executor"
}
