import Imaging
import Records

// What is done with the pictures. `AveragePixel` is the example, and the template for real signal processing: write a
// type with one method, and give it a name in `camgate consume --processor`.

/// Processes decoded pictures. Called on one thread, for each camera in presentation order.
package protocol FrameProcessor: AnyObject {
  /// `picture` is valid during the call only. `frame` says whose it is and when it was captured.
  func process(_ picture: borrowing Picture, of frame: ReceivedFrame)
}

/// The mean of all channels of each picture.
package final class AveragePixel: FrameProcessor {
  private let meanPixel = MeanPixel()
  private let emit: (ReceivedFrame, Double) -> Void

  /// `emit` gets each frame with its mean pixel, 0...255.
  package init(emit: @escaping (ReceivedFrame, Double) -> Void) { self.emit = emit }

  package func process(_ picture: borrowing Picture, of frame: ReceivedFrame) {
    guard let mean = try? meanPixel.mean(of: picture) else { return }
    emit(frame, mean)
  }
}
