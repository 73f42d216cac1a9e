"""Ways to write addresses that nobody outside should reach, and URLs that parsers disagree about."""

from __future__ import annotations

from typing import Final

PRIVATE: Final = [
    # this machine, written in every way inet_aton and browsers take
    *(
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "127.0.1",
        "127.255.255.254",
        "2130706433",
        "0x7f000001",
        "0x7F.0x0.0x0.0x1",
    ),
    *("0177.0.0.1", "0177.0000.0000.0001", "017700000001", "127.0x1", "0x7f.1", "0", "0.0.0.0", "0x0", "00"),
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.1.", "①②⑦.⓪.⓪.①", "127。0。0。1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::0001]"),
    # this machine by way of IPv6 that carries IPv4
    *(
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
    ),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:7f00:1::1]"),
    *(
        "[2001:0:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
        "[64:ff9b::8.8.8.8]",
        "[::ffff:8.8.8.8]",
    ),
    # private networks
    *(
        "10.0.0.1",
        "10.255.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.255.255",
        "3232235777",
    ),
    *(
        "0xc0a80101",
        "0300.0250.1.1",
        "[fc00::1]",
        "[fd00::1]",
        "[fd12:3456:789a::1]",
        "[fec0::1]",
        "[::ffff:10.0.0.1]",
    ),
    # link-local, among them the address clouds keep their keys at
    *(
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "169.254.0.1",
    ),
    *("[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]"),
    # carrier networks, documentation, benchmarks, groups, reserved, broadcast
    *(
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "192.0.0.1",
        "192.0.0.170",
        "192.0.2.1",
        "198.51.100.1",
    ),
    *(
        "203.0.113.1",
        "198.18.0.1",
        "198.19.255.255",
        "192.88.99.1",
        "224.0.0.1",
        "224.0.1.1",
        "239.255.255.255",
    ),
    *(
        "240.0.0.1",
        "255.255.255.255",
        "0.1.2.3",
        "[ff02::1]",
        "[ff0e::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[100::1]",
    ),
    *("[2001:2::1]", "[2001:10::1]", "[5f00::1]", "[4000::1]"),
    # more ways to write them: brackets, dots, digits and letters that are turned into others before a name is looked up
    *("127.0.0.1..", "2130706433.", "0x7f000001.", "127.000.000.001", "0x7f.0.0.0x1", "127.0.0.0x1"),
    *(
        "１２７.０.０.１",
        "127．0．0．1",
        "127｡0｡0｡1",
        "١٢٧.٠.٠.١",
        "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "ｌｏｃａｌｈｏｓｔ",
    ),
    *(
        "[::ffff:0.0.0.0]",
        "[::ffff:7f00:0001]",
        "[0::ffff:127.0.0.1]",
        "[::ffff:100.64.0.1]",
        "[::FFFF:127.0.0.1]",
    ),
    *(
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[::1%25lo]",
        "[ff01::1]",
        "[ff05::1:3]",
        "[::]",
        "[0::]",
        "[::127.1]",
    ),
    # what clouds and containers keep their keys at
    *(
        "169.254.170.2",
        "169.254.169.253",
        "168.63.129.16",
        "192.0.0.192",
        "[fd20:ce::254]",
        "0xA9.254.0251.254",
    ),
    *("[64:ff9b::169.254.169.254]", "[2002:a9fe:a9fe::]", "[::a9fe:a9fe]", "172.17.0.1", "10.96.0.1"),
]
"""Hosts: literal, in every notation, and names of this machine."""

TRICKS: Final = [
    "http://127.0.0.1:{port}\\@public.example/good",
    "http://public.example#@127.0.0.1:{port}/good",
    "http://public.example\\.127.0.0.1:{port}/good",
    "http://127.0.0.1:{port}%2f@public.example/good",
    "http://user@127.0.0.1:{port}@public.example/good",
    "http:\\\\127.0.0.1:{port}\\good",
    "http:127.0.0.1:{port}/good",
    "http:/127.0.0.1:{port}/good",
    "HTTP://127.0.0.1:{port}/good",
    "http://127.0.0.1:{port}\t/good",
    "http://127.0.0.1:{port}\r\nX: y/good",
    "http://127.0.0.1%00:{port}/good",
    "http://127.0.0.1:{port}:80/good",
    "http://[::1%25127.0.0.1]:{port}/good",
    "http://%31%32%37.0.0.1:{port}/good",
    "http://[::ffff:127.0.0.1:{port}/good",
    "http://0:{port}/good",
    "http:///127.0.0.1:{port}/good",
]
"""URLs, to be given a port of this machine."""
