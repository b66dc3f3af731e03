import Cgroups
import Glibc
import LaunchModel
import LinuxKernel

/// Makes a container's cgroups, and holds what is in them to its limits.
enum CgroupMaker {
  /// Makes them, with the limits that hold for init, who is the first in them. Each must be new: an old one would bring limits and
  /// counters of another task.
  ///
  /// - Parameters:
  ///   - owner: whose they are from then on.
  ///   - made: what this call has made, also when it throws.
  static func make(
    _ version2: ContainerCgroup?, _ plan: LaunchPlan, _ owner: CgroupOwner, _ made: inout [CgroupDirectory]
  ) throws(LaunchError) {
    if let version2 {
      try make(version2.whole, owner, &made)
      try make(version2.own, nil, &made)
      try make(version2.task, nil, &made)
      let mount = version2.mount
      for setup in plan.version2Cgroups {
        try handDown(setup.controllers, to: CgroupDirectory(setup.directory), below: mount)
      }
      for setup in plan.version2Cgroups where setup.directory == version2.whole.path { try limit(setup) }
    }
    func makeOnce(_ cgroup: CgroupDirectory, _ owner: CgroupOwner?, _ setup: CgroupSetup) throws(LaunchError) {
      guard !made.contains(cgroup) else { return }
      try make(cgroup, owner, &made)
      try inherit(setup.inherited, cgroup)
    }
    // A cgroup of the task alone is in one of the container's, which is as new.
    for setup in plan.cgroups { try makeOnce(CgroupDirectory(setup.directory).parent, owner, setup) }
    for setup in plan.sharedCgroups + plan.initCgroups {
      try makeOnce(CgroupDirectory(setup.directory), owner, setup)
    }
    for setup in plan.cgroups { try makeOnce(CgroupDirectory(setup.directory), nil, setup) }
    // Half written, a list of devices refuses init what it opens.
    for setup in plan.sharedCgroups + plan.initCgroups { try limit(setup) }
  }

  /// Writes the limits of the task's own, of which nothing runs yet. Init is being started meanwhile: it need not wait.
  static func limitTask(_ plan: LaunchPlan) throws(LaunchError) {
    for setup in plan.cgroups { try limit(setup) }
    for setup in plan.version2Cgroups {
      try limit(setup)
      guard !setup.deviceProgram.isEmpty else { continue }
      do throws(Errno) {
        let cgroup = try openFile(setup.directory, O_RDONLY | O_DIRECTORY)
        try DeviceProgram.attach(setup.deviceProgram, to: cgroup.rawValue)
      } catch {
        throw LaunchError("cannot limit the devices of \(setup.directory)", error)
      }
    }
  }

  /// Has every cgroup above one give it the controllers that it needs (cgroups(7), `cgroup.subtree_control`). What is given
  /// already is not written again: above our own cgroups that is where nothing of ours is.
  private static func handDown(_ controllers: [String], to cgroup: CgroupDirectory, below mount: CgroupDirectory)
    throws(LaunchError)
  {
    guard !controllers.isEmpty, cgroup != mount else { return }
    let above = cgroup.parent
    try handDown(controllers, to: above, below: mount)
    do throws(Errno) {
      let given = try above.read("cgroup.subtree_control").split { $0 == " " || $0 == "\n" }
      let missing = controllers.filter { !given.contains(Substring($0)) }
      guard !missing.isEmpty else { return }
      try above.write(missing.map { "+" + $0 }.joined(separator: " "), to: "cgroup.subtree_control")
    } catch {
      throw LaunchError(
        "cannot give the cgroups below \(above.path) the controllers \(controllers.joined(separator: ", "))", error,
        hint: error.code == EBUSY
          ? "\(above.path) has processes of its own, which then may not be (cgroups(7)): move them to a cgroup below it"
          : nil)
    }
  }

  private static func limit(_ setup: CgroupSetup) throws(LaunchError) {
    let cgroup = CgroupDirectory(setup.directory)
    // A file that takes one line at a time is opened once for all of them.
    var open: (name: String, file: SharedDescriptor)?
    for setting in setup.settings {
      do throws(Errno) {
        if open?.name != setting.file {
          open = (setting.file, SharedDescriptor(try openFile(cgroup.path + "/" + setting.file, O_WRONLY)))
        }
        try open?.file.descriptor.writeAll(setting.value.utf8)
      } catch  where setting.mayBeAbsent && (error.code == ENOENT || error.code == EACCES) {
      } catch {
        throw LaunchError("cannot write \(setting.value) to \(cgroup.path)/\(setting.file)", error)
      }
    }
  }

  /// - Parameter owner: `nil` for one that is in another of the container's, which says whose both are.
  private static func make(_ cgroup: CgroupDirectory, _ owner: CgroupOwner?, _ made: inout [CgroupDirectory])
    throws(LaunchError)
  {
    do throws(Errno) {
      try cgroup.create()
      made.append(cgroup)
    } catch {
      let what = "cannot make the cgroup \(cgroup.path)"
      guard error.code == EEXIST else { throw LaunchError(what, error) }
      throw owner?.refusal(cgroup, what, error) ?? .nameTaken(what, error)
    }
    do throws(Errno) { try owner?.mark(cgroup) } catch {
      throw LaunchError("cannot mark the cgroup \(cgroup.path) as this work directory's", error)
    }
  }

  /// Fills files that are empty in a new cgroup with what the one above has, and in that one first.
  private static func inherit(_ files: [String], _ cgroup: CgroupDirectory) throws(LaunchError) {
    for file in files {
      do throws(Errno) { try cgroup.write(value(file, cgroup.parent), to: file) } catch {
        throw LaunchError("cannot give \(cgroup.path)/\(file) what the cgroup above has", error)
      }
    }
  }

  private static func value(_ file: String, _ cgroup: CgroupDirectory) throws(Errno) -> String {
    let own = try cgroup.read(file).split(separator: "\n").first.map(String.init) ?? ""
    // The root of a hierarchy has something, or nobody below it could.
    guard own.isEmpty, cgroup.hasParent else { return own }
    let inherited = try value(file, cgroup.parent)
    try cgroup.write(inherited, to: file)
    return inherited
  }
}

extension CgroupOwner {
  /// Why a cgroup could not be made that is there already, where it says that it is another's.
  fileprivate func refusal(_ cgroup: CgroupDirectory, _ what: String, _ error: Errno) -> LaunchError? {
    guard isOthers(cgroup) else { return nil }
    let numbers = mark(of: cgroup)
    var (whose, search) = ("", "")
    if numbers.count == 3 {
      whose = ", whose `tasks` is inode \(numbers[2]) of device \(numbers[0]):\(numbers[1])"
      search = " (`find / -inum \(numbers[2]) -name tasks` finds its `tasks`)"
    }
    return .nameTaken(
      what, error, by: "it is of a task of another work directory" + whose,
      hint: "another task of this id lives there, or was left behind; choose another --task-id, "
        + "or `sweep` with that --work-dir\(search)")
  }
}
