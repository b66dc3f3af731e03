/// How the health of a task or of one of its processes is asked for.
package struct HealthCheck: Sendable, Equatable {
  package enum Probe: Sendable, Equatable {
    /// A GET on this port of the local host; an empty `expectedResponse` and a code of 0 are not compared.
    case http(port: Int, endpoint: String, expectedResponse: String, expectedResponseCode: Int)
    case shell(command: String)
    /// A connection to this port of the local host, closed at once.
    case tcp(port: Int)
  }

  package var probe: Probe
  /// Seconds in which failures are forgiven.
  package var initialInterval: Double
  /// Seconds between two checks, above 0.
  package var interval: Double
  package var maxConsecutiveFailures: Int
  package var minConsecutiveSuccesses: Int
  /// Seconds a check may take.
  package var timeout: Double

  package init(
    probe: Probe, initialInterval: Double = 15, interval: Double = 10, maxConsecutiveFailures: Int = 0,
    minConsecutiveSuccesses: Int = 1, timeout: Double = 1
  ) {
    self.probe = probe
    self.initialInterval = initialInterval
    self.interval = interval
    self.maxConsecutiveFailures = maxConsecutiveFailures
    self.minConsecutiveSuccesses = minConsecutiveSuccesses
    self.timeout = timeout
  }
}

/// The two requests by which a task is asked to end before it is signalled.
package struct HTTPLifecycle: Sendable, Equatable {
  /// The number that the port's name leads to.
  package var port: Int
  package var gracefulShutdownEndpoint: String
  package var shutdownEndpoint: String
  /// Seconds waited after a request that was answered.
  package var gracefulShutdownWait: Double
  package var shutdownWait: Double

  package init(
    port: Int, gracefulShutdownEndpoint: String = "/quitquitquit", shutdownEndpoint: String = "/abortabortabort",
    gracefulShutdownWait: Double = 5, shutdownWait: Double = 5
  ) {
    self.port = port
    self.gracefulShutdownEndpoint = gracefulShutdownEndpoint
    self.shutdownEndpoint = shutdownEndpoint
    self.gracefulShutdownWait = gracefulShutdownWait
    self.shutdownWait = shutdownWait
  }
}
