import Glibc
import LaunchModel
import LinuxKernel

/// Who is connected: what they ask for, and what they are told.
extension InitServer {
  func accept() throws(Errno) {
    while let socket = try nextConnection() {
      let shared = SharedDescriptor(socket)
      // Only who started this container may steer it: the socket's directory says so, and so does this.
      guard let peer = try? UnixSocket.peer(of: shared.descriptor), peer.uid == CurrentProcess.effectiveUser else {
        continue
      }
      let channel = try InitChannel(shared)
      connections.append((channel, try watch(shared.rawValue, .connection(channel))))
    }
  }

  /// The next connection. Out of descriptors, the one that is kept for this is given up to turn the caller away: left
  /// alone it would wake us for ever.
  private func nextConnection() throws(Errno) -> FileDescriptor? {
    do throws(Errno) {
      return try UnixSocket.accept(listener.socket.descriptor)
    } catch {
      guard [EMFILE, ENFILE, ENOMEM, ENOBUFS].contains(error.code) else { throw error }
      spare = nil
      _ = try? UnixSocket.accept(listener.socket.descriptor)?.rawValue
      spare = try? SharedDescriptor(null.descriptor.duplicate())
      return nil
    }
  }

  func serveEntrance() {
    while case .message(.listen, let descriptors)? = try? entrance.channel.receive(InitRequest.self) {
      listen(on: descriptors)
    }
  }

  /// Takes the connections of another socket from now on. Those that there are stay.
  private func listen(on descriptors: [SharedDescriptor]) {
    guard let socket = descriptors.first, (try? socket.descriptor.setNonBlocking(true)) != nil,
      let token = try? watch(socket.rawValue, .listener)
    else { return }
    unwatch(listener.socket.rawValue, token: listener.token)
    listener = (socket, token)
  }

  func serve(_ channel: InitChannel, token: UInt64, writable: Bool) {
    do {
      if writable {
        try channel.flush()
        if !channel.hasUnsent { try poller.modify(channel.socket.rawValue, token: token, read: true, write: false) }
      }
      while true {
        switch try channel.receive(InitRequest.self) {
        case .nothing: return
        case .closed: return drop(channel)
        case .message(let request, let descriptors): handle(request, descriptors, from: channel)
        }
      }
    } catch {
      drop(channel)
    }
  }

  private func drop(_ channel: InitChannel) {
    guard let index = connections.firstIndex(where: { $0.channel === channel }) else { return }
    unwatch(channel.socket.rawValue, token: connections[index].token)
    connections.remove(at: index)
    // Nobody waits for its commands any more.
    for run in runs.alive where run.command?.channel === channel { Children.signalGroup(run.pid, SIGKILL) }
    // An executor may have died while it held the task.
    if connections.isEmpty, work?.isKilling != true { tree.setFrozen(false) }
  }

  func tell(_ event: InitEvent) {
    for (channel, _) in connections { tell(event, to: channel) }
  }

  func tell(_ event: InitEvent, to channel: InitChannel, _ descriptors: [SharedDescriptor] = []) {
    do throws(Errno) {
      try channel.send(event, descriptors: descriptors)
      guard channel.hasUnsent, let entry = connections.first(where: { $0.channel === channel }) else { return }
      try poller.modify(channel.socket.rawValue, token: entry.token, read: true, write: true)
    } catch {
      drop(channel)
    }
  }

  private func handle(_ request: InitRequest, _ descriptors: [SharedDescriptor], from channel: InitChannel) {
    switch request {
    case .hello:
      tell(.ready(.own, runs.reports), to: channel)
      if let signal = untoldStop {
        untoldStop = nil
        tell(.stopRequested(signal: signal), to: channel)
      }
      for (key, what) in untoldTroubles { tell(.logTrouble(key, what), to: channel) }
      untoldTroubles = []
    case .spawn(let spec): spawn(spec, descriptors)
    case .go(let key):
      guard let run = runs[key], let go = run.go else { return }
      run.go = nil
      try? go.descriptor.writeAll([1])
    case .signal(let key, let signal):
      guard let run = runs[key], run.isAlive else { return }
      Children.signalGroup(run.pid, signal)
      // A process that is stopped takes no signal but this one.
      if signal != SIGKILL { Children.signalGroup(run.pid, SIGCONT) }
    case .signalStrays(let signal):
      work?.signalStrays(signal)
      tellsStrays = true
      (straysTold, toldStraysAt) = (nil, 0)
      countStrays()
    case .killAll:
      starter.score?.restore()
      work?.killAll()
      owesAllGone = true
      goOnWithWork()
      reapAndTell()
    case .shutdown:
      try? exits.catchUp()
      Child.exit(0)
    case .openSocket(let id, let isIPv6):
      do throws(Errno) {
        let socket = try StreamSocket.makeTCP(isIPv6: isIPv6, owner: starter.restrictions.identity.uid)
        tell(.socket(id), to: channel, [SharedDescriptor(socket)])
      } catch {
        tell(.noSocket(id, errno: error.code), to: channel)
      }
    case .execute(let id, let spec): execute(id, spec, descriptors, for: channel)
    case .killCommand(let id):
      let command = runs.alive.first { $0.command?.id == id && $0.command?.channel === channel }
      if let command { Children.signalGroup(command.pid, SIGKILL) }
    case .listen: listen(on: descriptors)
    case .unknown: break
    }
  }

  /// Starts a command beside the task's runs. It is let go at once: whether it ran is of no consequence to a recovery.
  private func execute(_ id: UInt32, _ spec: ProcessSpec, _ descriptors: [SharedDescriptor], for channel: InitChannel) {
    do throws(Errno) {
      let streams = try LogStreams(spec.logMode, descriptors, for: starter.restrictions, null: null)
      let child = try starter.fork(spec, output: streams.output, errors: streams.errors)
      let run = Run(key: RunKey(spec.process, spec.run), child: child)
      run.command = (id, channel)
      runs.addCommand(run)
      run.go = nil
      try? child.go.descriptor.writeAll([1])
    } catch {
      var record = ExitRecord(
        key: RunKey(spec.process, spec.run), waitStatus: 0, bootTime: Clock.now, wallTime: Clock.wall)
      record.startFailure = StartFailure(.setup, "cannot start a process: \(error)")
      tell(.executed(id, record), to: channel)
    }
  }
}
