// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors in CI (`scripts/test` sets this); a developer's half-finished line may still build.
import class Foundation.ProcessInfo

let strict = ProcessInfo.processInfo.environment["AURORA_WARNINGS_AS_ERRORS"] == "1"

// Only `scripts/coverage` sets this: what tests start counts as well.
let counts = ProcessInfo.processInfo.environment["AURORA_COVERAGE"] == "1"

// Glibc and CLinux describe the same system headers. Both must be read with the same feature macro, or the compiler
// finds two definitions of one structure.
let swift: [SwiftSetting] =
  [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"), .unsafeFlags(["-Xcc", "-D_GNU_SOURCE"])]
  + (strict ? [.treatAllWarnings(as: .error)] : [])

// The targets are the arrows of ARCHITECTURE.md: what a module may import is what is listed here.
let package = Package(
  name: "aurora-executor",
  products: [
    .executable(name: "aurora-executor", targets: ["Executor"]),
    .library(name: "DockerEngineClient", targets: ["DockerEngineClient", "RegistryCredentials"]),
  ],
  targets: [
    // C that Swift cannot call: variadic system calls, clone3, macros.
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")] + (counts ? [.define("AURORA_COVERAGE")] : [])),
    // System libraries, all linked statically into the release binary:
    // layers are compressed with gzip (zlib) or zstd, archives with xz (liblzma) or bzip2 as well; digests are those of
    // libcrypto; libseccomp knows the numbers of system calls.
    .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(name: "CLzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CBzip2", providers: [.apt(["libbz2-dev"])]),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CSeccomp", providers: [.apt(["libseccomp-dev"])]),

    .target(name: "LinuxKernel", dependencies: ["CLinux"], swiftSettings: swift),
    // libm: the standard library rounds doubles with it.
    .target(name: "StrictJSON", swiftSettings: swift, linkerSettings: [.linkedLibrary("m")]),
    .target(name: "LaunchModel", swiftSettings: swift),
    .target(name: "ContainerInit", dependencies: ["LaunchModel", "LinuxKernel"], swiftSettings: swift),
    .target(name: "TaskModel", dependencies: ["StrictJSON"], swiftSettings: swift),
    .target(
      name: "Seccomp", dependencies: ["LinuxKernel", "StrictJSON", "CSeccomp", "CCrypto"], swiftSettings: swift),
    .target(name: "Isolators", dependencies: ["LaunchModel", "LinuxKernel", "Seccomp"], swiftSettings: swift),
    .target(
      name: "Images",
      dependencies: ["LinuxKernel", "StrictJSON", "LaunchModel", "CZlib", "CZstd", "CLzma", "CBzip2", "CCrypto"],
      swiftSettings: swift),
    // Images of registries, into the store; HTTP itself is curl's.
    .target(
      name: "Registry", dependencies: ["HTTP1", "Images", "LinuxKernel", "RegistryCredentials", "StrictJSON"],
      swiftSettings: swift),
    // What a policy file means, and what it makes of a task's demands.
    .target(
      name: "OperatorPolicy",
      dependencies: ["DockerEngineClient", "Images", "TaskModel", "StrictJSON", "LinuxKernel"], swiftSettings: swift),
    // What is on this host of a task: directories, journal, launch record, result, logs. Runs nothing.
    .target(
      name: "TaskStore", dependencies: ["OperatorPolicy", "TaskModel", "LaunchModel", "LinuxKernel", "StrictJSON"],
      swiftSettings: swift),
    .target(name: "DiskUsage", dependencies: ["LaunchModel", "LinuxKernel", "TaskModel"], swiftSettings: swift),
    .target(name: "Cgroups", dependencies: ["LinuxKernel"], swiftSettings: swift),
    // What both containerizers have in common, and what is above them sees of either.
    .target(
      name: "Containers",
      dependencies: ["TaskStore", "DiskUsage", "ContainerInit", "LaunchModel", "LinuxKernel", "StrictJSON"],
      swiftSettings: swift),
    .target(
      name: "MesosContainerizer",
      dependencies: [
        "Containers", "TaskStore", "DiskUsage", "Cgroups", "Isolators", "Images", "Registry", "ContainerInit",
        "TaskModel", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .target(name: "HTTP1", swiftSettings: swift),
    // What `docker login` left, for whoever asks a registry or has an engine ask it.
    .target(name: "RegistryCredentials", dependencies: ["HTTP1", "LinuxKernel", "StrictJSON"], swiftSettings: swift),
    .target(
      name: "DockerEngineClient", dependencies: ["HTTP1", "LinuxKernel", "RegistryCredentials", "StrictJSON"],
      exclude: ["README.md"], swiftSettings: swift),
    .target(
      name: "DockerContainerizer",
      dependencies: [
        "Containers", "DockerEngineClient", "OperatorPolicy", "TaskStore", "DiskUsage", "Isolators", "Images",
        "ContainerInit", "TaskModel", "LaunchModel", "LinuxKernel", "RegistryCredentials", "StrictJSON",
      ],
      swiftSettings: swift),
    .target(
      name: "Explanation",
      dependencies: [
        "TaskStore", "TaskModel", "Images", "ContainerInit", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    // Runs a task, whichever containerizer it has.
    .target(
      name: "Supervision",
      dependencies: [
        "Containers", "TaskStore", "DiskUsage", "Cgroups", "ContainerInit", "HTTP1", "Isolators", "TaskModel",
        "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .executableTarget(
      name: "Executor",
      dependencies: [
        "Supervision", "Explanation", "MesosContainerizer", "DockerContainerizer", "Containers", "OperatorPolicy",
        "TaskStore", "DiskUsage", "Cgroups", "TaskModel", "DockerEngineClient", "ContainerInit", "Isolators", "Images",
        "Registry", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),

    // A container-init that is played, for the tests of whoever speaks with one.
    .target(
      name: "PlayedInit", dependencies: ["ContainerInit", "LaunchModel", "LinuxKernel"], path: "Tests/PlayedInit",
      swiftSettings: swift),
    .testTarget(name: "LinuxKernelTests", dependencies: ["LinuxKernel"], swiftSettings: swift),
    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"], swiftSettings: swift),
    .testTarget(name: "LaunchModelTests", dependencies: ["LaunchModel"], swiftSettings: swift),
    .testTarget(name: "TaskModelTests", dependencies: ["TaskModel", "StrictJSON"], swiftSettings: swift),
    .testTarget(name: "ImagesTests", dependencies: ["Images", "LinuxKernel", "StrictJSON"], swiftSettings: swift),
    // The program is built with those tests that start it.
    .testTarget(
      name: "ContainerInitTests", dependencies: ["ContainerInit", "Executor", "LaunchModel", "LinuxKernel"],
      swiftSettings: swift),
    .testTarget(
      name: "MesosContainerizerTests",
      dependencies: [
        "MesosContainerizer", "Executor", "Containers", "TaskStore", "Cgroups", "Isolators", "ContainerInit",
        "TaskModel", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .testTarget(
      name: "SeccompTests", dependencies: ["Seccomp", "LinuxKernel", "StrictJSON"], swiftSettings: swift),
    .testTarget(
      name: "IsolatorsTests", dependencies: ["Isolators", "LaunchModel", "LinuxKernel", "Seccomp"],
      swiftSettings: swift),
    .testTarget(
      name: "RegistryCredentialsTests", dependencies: ["RegistryCredentials", "LinuxKernel", "StrictJSON"],
      swiftSettings: swift),
    .testTarget(
      name: "RegistryTests",
      dependencies: ["Registry", "HTTP1", "Images", "LinuxKernel", "RegistryCredentials", "StrictJSON"],
      swiftSettings: swift),
    .testTarget(
      name: "DockerEngineClientTests",
      dependencies: ["DockerEngineClient", "HTTP1", "LinuxKernel", "RegistryCredentials", "StrictJSON"],
      swiftSettings: swift),
    .testTarget(
      name: "SupervisionTests",
      dependencies: [
        "Supervision", "Containers", "TaskStore", "DiskUsage", "ContainerInit", "PlayedInit", "Isolators", "TaskModel",
        "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .testTarget(
      name: "ContainersTests",
      dependencies: [
        "Containers", "TaskStore", "ContainerInit", "PlayedInit", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .testTarget(
      name: "DiskUsageTests", dependencies: ["DiskUsage", "TaskStore", "LinuxKernel"], swiftSettings: swift),
    .testTarget(
      name: "TaskStoreTests",
      dependencies: ["TaskStore", "DiskUsage", "TaskModel", "LaunchModel", "LinuxKernel", "StrictJSON"],
      swiftSettings: swift),
    .testTarget(
      name: "ExplanationTests",
      dependencies: ["Explanation", "TaskStore", "ContainerInit", "TaskModel", "LaunchModel", "StrictJSON"],
      swiftSettings: swift),
    .testTarget(
      name: "OperatorPolicyTests",
      dependencies: [
        "OperatorPolicy", "TaskStore", "DockerEngineClient", "TaskModel", "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
    .testTarget(
      name: "DockerContainerizerTests",
      dependencies: [
        "DockerContainerizer", "DockerEngineClient", "Containers", "TaskStore", "Isolators", "TaskModel",
        "LaunchModel", "LinuxKernel",
      ],
      swiftSettings: swift),
    .testTarget(
      name: "ExecutorTests",
      dependencies: [
        "Executor", "OperatorPolicy", "DockerContainerizer", "DockerEngineClient", "TaskStore", "TaskModel",
        "LaunchModel", "LinuxKernel", "StrictJSON",
      ],
      swiftSettings: swift),
  ]
)

// Only `scripts/fuzz` builds this, with the compiler's fuzzer linked in.
if ProcessInfo.processInfo.environment["AURORA_FUZZ"] == "1" {
  package.targets += [
    .systemLibrary(name: "CFuzzer", path: "Tests/Fuzz/CFuzzer"),
    .executableTarget(
      name: "Fuzz",
      dependencies: [
        "CFuzzer", "TaskModel", "DockerEngineClient", "HTTP1", "Images", "LaunchModel", "LinuxKernel", "Registry",
        "Seccomp", "StrictJSON",
      ],
      path: "Tests/Fuzz/Sources", swiftSettings: swift),
  ]
}
