import Registry

/// The options that say where AppC images are looked for.
enum AppcOptions {
  static let all: [Option] = [
    Option("--appc-store", value: "DIR", "where AppC images are that the store lacks: NAME-VERSION-OS-ARCH.aci"),
    Option("--appc-discovery-prefix", value: "URL", "where they are fetched from: this, and NAME-VERSION-OS-ARCH.aci"),
  ]

  static func places(_ arguments: Arguments) -> AppcPlaces {
    AppcPlaces(directory: arguments.last("--appc-store"), prefix: arguments.last("--appc-discovery-prefix"))
  }
}
