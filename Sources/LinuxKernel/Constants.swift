// Constants that other modules name. Re-exported so that CLinux itself stays behind this module.
@_exported import CLinux
