/// Where everything is unless the command line says otherwise.
package enum Defaults {
  package static let workDirectory = "/var/lib/aurora-executor"
  package static let runDirectory = "/run/aurora-executor"
}
