import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// The image's own scripts for the clock, run by a shell with the board's files in a namespace of mounts. Only what
  /// would set this machine's clock is another program.
  @Suite struct ClockScriptTests {
    /// Runs `commands` where image/root/sbin is /sbin, with /run, /etc and /data of the board's; what they print. What
    /// `camgate system confine` would start is printed by it.
    private func board(_ commands: String) throws -> [String] {
      let script = #"""
        set -e
        work=$3
        mount -t tmpfs tmpfs "$work"
        mkdir -p "$work/dev" "$work/etc" "$work/run/network" "$work/data/time" "$work/bin" "$work/sbin"
        echo 1800000000 >"$work/etc/build-time"
        cp "$1"/image/root/sbin/* "$work/sbin/"
        printf '#!/bin/sh\nshift 4\necho "starts $*" >>/run/started\n' >"$work/bin/camgate"
        chmod +x "$work/bin/camgate"
        mount --bind /dev "$work/dev"
        for name in bin lib lib64; do
          mkdir -p "$work/usr/$name" && [ ! -d /usr/$name ] || mount --bind /usr/$name "$work/usr/$name"
        done
        for name in lib lib64; do ln -sfn usr/$name "$work/$name"; done
        for name in sh sed cat date mv sync sleep; do ln -s "/usr/bin/$name" "$work/bin/$name"; done
        chroot "$work" /bin/sh -e -c "$2"
        """#
      let place = FileManager.default.temporaryDirectory.appending(path: "camgate-board-\(UUID().uuidString)")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: place) }
      let child = try Child(
        "unshare", ["--mount", "sh", "-c", script, "sh", Testbed.root.path, commands, place.path])
      #expect(try child.waitForExit() == .code(0), "\(child.transcript)")
      return child.output + child.errors
    }

    /// Whoever answers DHCP first must not choose the clock of a board whose settings say who does.
    @Test(arguments: [
      ("SYSTEM_NTP='10.0.0.1 time.example'", "-p 10.0.0.1 -p time.example"), ("SYSTEM_NTP=''", "-p 192.0.2.66"),
    ])
    func settingsWinOverDHCP(_ setting: String, _ servers: String) throws {
      let said = try board(
        """
        echo "\(setting)" >/run/settings; : >/run/log; echo 192.0.2.66 >/run/network/ntp-servers
        /sbin/clock; cat /run/started
        """)
      #expect(said == ["starts ntpd -n \(servers) -S /sbin/save-clock"])
    }

    /// A time that somebody invented ends with the start in which it was told.
    @Test(arguments: [(0, true), (3_285, true), (3_651, false), (18_250, false)])
    func aTimeYearsPastTheBuildIsNotKept(_ days: Int, _ isKept: Bool) throws {
      let time = 1_800_000_000 + days * 86_400
      let said = try board(
        """
        ln -sf /sbin/fake-date /bin/date
        printf '#!/bin/sh\\ncase $* in +%%s) echo \(time) ;; *) /usr/bin/date -u -d @\(time) +%%Y-%%m-%%d ;; esac\\n' \
        >/sbin/fake-date; chmod +x /sbin/fake-date; echo 1799999999 >/data/time/clock
        /sbin/save-clock periodic; cat /data/time/clock
        """)
      #expect(said.last { !$0.contains("warning") } == (isKept ? "\(time)" : "1799999999"), "\(said)")
      #expect(said.contains { $0.contains("warning: clock: ") && $0.contains("not kept") } == !isKept, "\(said)")
    }
  }
}
