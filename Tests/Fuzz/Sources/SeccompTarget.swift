import LinuxKernel
import Seccomp
import StrictJSON

/// A profile has a fault with its place in the text, or becomes a program that every call comes out of.
func fuzzSeccomp(_ bytes: [UInt8]) {
  do throws(ProfileError) {
    let compiled = try CompiledProfile(bytes, capabilities: [.init(rawValue: UInt64(bytes.count))], release: "6.1.0")
    let count = compiled.program.count / 8
    promise(compiled.program.count == count * 8 && (1...4096).contains(count), "a program of \(count) instructions")
    for at in 0..<count {
      let instruction = compiled.program[(at * 8)..<(at * 8 + 8)].map { Int($0) }
      let value = instruction[4] | instruction[5] << 8 | instruction[6] << 16 | instruction[7] << 24
      switch instruction[0] {
      case 0x06: continue
      case 0x05: promise(at + 1 + value < count, "a jump out of the program")
      case 0x15, 0x25, 0x35:
        promise(at + 1 + max(instruction[2], instruction[3]) < count, "a branch out of the program")
      default: promise(at + 1 < count, "the program ends without an answer")
      }
    }
  } catch {
    guard case .profile(let fault) = error else { return }
    promise(Places(bytes).hold(fault.position), "\(fault) lies outside")
  }
}
