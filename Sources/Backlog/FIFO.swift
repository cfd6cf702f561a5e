// A queue whose elements leave memory as soon as they leave it.

/// A first-in-first-out queue that lets go of an element as soon as it has left.
struct FIFO<Element> {
  /// Those in front of `head` have left and are nil: their memory must not wait for the array to be shortened.
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : elements[head] }

  /// The element at `index`, 0 being the oldest.
  subscript(index: Int) -> Element {
    get { elements[head + index]! }
    set { elements[head + index] = newValue }
  }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func removeFirst(_ count: Int) {
    for index in head..<(head + count) { elements[index] = nil }
    head += count
    if head == elements.count {
      (elements, head) = ([], 0)
    } else if head > 64, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
  }

  mutating func removeLast() {
    elements.removeLast()
    if head == elements.count { (elements, head) = ([], 0) }
  }

  mutating func remove(_ range: Range<Int>) {
    if range.lowerBound == 0 { return removeFirst(range.count) }
    elements.removeSubrange((head + range.lowerBound)..<(head + range.upperBound))
  }
}
