import LinuxKernel

/// Account files of an image: each line is one of the file's, and numbers are those that the kernel would print.
func fuzzAccounts(_ bytes: [UInt8]) {
  for line in AccountFile(bytes).lines {
    promise(Array(line.fields.joined(separator: [UInt8(ascii: ":")])) == line.bytes, "fields that are not the line's")
    promise(!line.bytes.contains(UInt8(ascii: "\n")), "a line of two lines")
    promise(line.fields.count >= 3, "an account without a number")
    for index in line.fields.indices {
      guard let number = line.number(index) else { continue }
      promise(Array(String(number).utf8) == line.fields[index], "\(number) is written otherwise")
    }
  }
}
