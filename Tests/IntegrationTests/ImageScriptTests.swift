import Foundation
import Testing

extension IntegrationTests.CameraSide {
  /// The image's own scripts for clock and settings, run by a shell with the board's files in a namespace of mounts. Only
  /// what would set this machine's clock is another program, and `camgate`.
  @Suite struct ImageScriptTests {
    /// Runs `commands` where image/root/sbin is /sbin, with /run, /etc and /data of the board's; what they print. What
    /// `camgate system confine` would start is printed by it.
    private func board(_ commands: String) throws -> [String] {
      let script = #"""
        set -e
        work=$3
        mount -t tmpfs tmpfs "$work"
        mkdir -p "$work/dev" "$work/run/network" "$work/data/time" "$work/bin" "$work/sbin" "$work/config"
        cp -r "$1/image/root/etc" "$work/etc"
        echo 1800000000 >"$work/etc/build-time"
        cp "$1"/image/root/sbin/* "$work/sbin/"
        printf '#!/bin/sh\nshift 4\necho "starts $*" >>/run/started\n' >"$work/bin/camgate"
        chmod +x "$work/bin/camgate"
        mount --bind /dev "$work/dev"
        for name in bin lib lib64; do
          mkdir -p "$work/usr/$name" && [ ! -d /usr/$name ] || mount --bind /usr/$name "$work/usr/$name"
        done
        for name in lib lib64; do ln -sfn usr/$name "$work/$name"; done
        for name in sh sed cat date mv sync sleep cp rm mkdir chown chmod find hostname; do ln -s "/usr/bin/$name" "$work/bin/$name"; done
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

    /// What moves the clock by more than an hour is doubtful on a board that keeps it.
    @Test(arguments: [("3599.9", false), ("-3599.9", false), ("3601.0", true), ("-86400.5", true)])
    func aLargeStepOfTheClockIsWarnedOf(_ offset: String, _ isWarnedOf: Bool) throws {
      let said = try board("offset=\(offset) /sbin/save-clock step")
      #expect(said.contains { $0.contains("clock: set by \(offset) s") }, "\(said)")
      #expect(said.contains { $0.contains("warning: ") } == isWarnedOf, "\(said)")
    }

    /// Of the card's partition the settings and what they name are kept, for root to write and the gateway to read; what
    /// was taken off the card goes.
    @Test func onlyTheSettingsAndTheirFilesAreKept() throws {
      let said = try board(
        """
        printf '#!/bin/sh\n[ $2 != files ] || cat /run/named\n' >/bin/camgate
        printf '#!/bin/sh\nshift 2; exec "$@"\n' >/bin/chpst
        chmod +x /bin/chpst; : >/run/log
        mkdir /config/secrets /other
        for file in camgate.yaml password by-chance secrets/token secrets/by-chance ../other/file; do
          echo "of $file" >/config/$file
        done
        printf '/config/password\n/config/secrets/token\n/config/../other/file\n/other/file\n' >/run/named
        /sbin/settings
        find /data/settings ! -type d -printf '%P %m %U %G\n'; find /data/settings -type d -printf '%P/ %m %U %G\n'
        cat /run/chosen; rm /config/password; echo /config/secrets/token >/run/named
        /sbin/settings
        find /data -type f -printf 'then %P\n'
        """)
      let expected: Set<String> = [
        "camgate.yaml 440 0 100", "password 440 0 100", "secrets/token 440 0 100", "/ 550 0 100", "secrets/ 550 0 100",
        "/config/camgate.yaml", "then settings/camgate.yaml", "then settings/secrets/token",
      ]
      #expect(Set(said) == expected, "\(said)")
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
