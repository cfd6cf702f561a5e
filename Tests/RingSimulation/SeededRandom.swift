/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators"): the same seed, the same life.
package struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return SeededRandom.mixed(state)
  }

  /// One well-mixed number for another.
  static func mixed(_ number: UInt64) -> UInt64 {
    var mixed = number
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// Below `limit`; not exactly uniform, but quick.
  package mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: next() >> 33) % max(limit, 1) }

  mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}
