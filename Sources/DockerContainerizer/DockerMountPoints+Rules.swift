import LinuxKernel
import TaskStore

/// What holds for places whatever is mounted there.
extension DockerMountPoints {
  package static let devices = Array("dev".utf8)
  private static let processes = Array("proc".utf8)
  private static let system = Array("sys".utf8)
  package static let cgroups = [system, Array("fs".utf8), Array("cgroup".utf8)]
  private static let nullDevice = [devices, Array("null".utf8)]

  /// The engine knows its own /dev by the name of the target, and makes nodes in whatever is there; what is in /proc and /sys is
  /// the kernel's, and links of it lead anywhere.
  func checkTop(_ point: Point, _ place: [[UInt8]]) throws(ExecutorFailure) {
    guard let top = place.first else {
      throw ExecutorFailure(
        .failed,
        "\(Self.shown(point.target)) of the container: a link of the image leads to /, where nothing can be mounted")
    }
    let tops = [Self.devices, Self.processes, Self.system]
    guard tops.contains(top) || point.isEngines else { return }
    guard place == point.target else {
      throw ExecutorFailure(
        .failed,
        "\(Self.shown(point.target)) of the container: a link of the image leads to \(Self.shown(place)), and nothing is mounted "
          + "in /dev, /proc or /sys by way of a link")
    }
    guard top == Self.devices || place.count == 1 || place == Self.cgroups else {
      throw ExecutorFailure(
        .failed, "\(Self.shown(point.target)) of the container: nothing can be mounted below /proc or /sys",
        hint: "/sys/fs/cgroup is free, and so is /sys itself")
    }
    guard place != Self.nullDevice || point.isNode else {
      throw ExecutorFailure(.failed, "/dev/null of the container is the engine's own: nothing can be mounted on it")
    }
  }

  /// Which of two is seen, and in which one something is made, is never a question.
  func checkNothingCovered(_ point: Point, _ place: [[UInt8]], _ laid: [Laid]) throws(ExecutorFailure) {
    for other in laid where other.place.starts(with: place) && !(point.isNode && other.point.isNode) {
      // By name, /sys goes over the engine's /sys/fs/cgroup.
      if other.point.isEngines, other.place != place, place.count == 1, place == point.target { continue }
      guard other.place != place else {
        throw ExecutorFailure(
          .failed,
          "\(Self.shown(point.target)) and \(Self.shown(other.point.target)) of the container would be mounted on one place"
            + (place == point.target ? "" : ", \(Self.shown(place))"),
          hint: "a VOLUME or a link of the image, or a mount among the parameters: one of them is too many")
      }
      throw ExecutorFailure(
        .failed,
        "\(Self.shown(point.target)) of the container would cover \(Self.shown(other.point.target)), by way of a link of the image",
        hint: "a VOLUME of the image, or a mount among the parameters, is on a link")
    }
  }
}
