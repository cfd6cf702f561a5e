import DiskRing

// A copy of the card, put in after the card itself has been used further: the ring is older than what was sent from it.

/// A ring's directory at an earlier time, and what was true of it then.
struct CardCopy {
  let storage: SimulatedStorage
  let models: [StreamModel]
}

extension World {
  /// The gateway is off for a moment and its card copied.
  func copyCard() throws {
    end(losingPower: false)
    let copy = storage.copy()
    copy.settleEverything()
    cardCopy = CardCopy(storage: copy, models: models)
    try openOrCrash()
  }

  /// The copy is put in instead of the card.
  func putCopyIn() throws {
    guard let cardCopy else { return }
    end(losingPower: false)
    say("an older copy is put in")
    storage.takeContent(of: cardCopy.storage.copy())
    models = cardCopy.models
    try openOrCrash()
  }
}

extension SimulatedStorage {
  /// Hands are slow: the system has written everything by then.
  func settleEverything() {
    for name in names.keys { settle(name) }
    (durableNames, nameChanges) = (names, [])
  }

  /// The same for one file.
  func settle(_ name: String) {
    guard let file = names[name] else { return }
    (file.durable, file.pending) = (file.current, [])
  }

  func takeContent(of other: SimulatedStorage) {
    (names, durableNames, nameChanges) = (other.names, other.durableNames, other.nameChanges)
  }
}
