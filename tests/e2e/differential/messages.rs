//! The messages that scenes are about: each form of header, address and body that ENVELOPE,
//! BODYSTRUCTURE, sections and SEARCH have something to say about. None is malformed; what becomes of
//! those is in `hub/mime/DIFFERENCES.md`.

pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    pub(crate) flags: &'static [&'static str],
    /// As in `APPEND`.
    pub(crate) received: &'static str,
}

/// Line ends are made CRLF.
pub(crate) fn message(received: &'static str, flags: &'static [&'static str], text: &str) -> Message {
    Message { bytes: text.replace('\n', "\r\n").into_bytes(), flags, received }
}

/// In this order: a scene names them by number.
pub(crate) fn messages() -> Vec<Message> {
    vec![
        message("02-Feb-2026 10:11:12 +0000", &[], PLAIN),
        message("03-Feb-2026 23:59:59 +0000", &["\\Seen"], ADDRESSES),
        message("28-Feb-2025 00:00:00 +0000", &["\\Flagged", "$Forwarded"], ALTERNATIVE),
        message("04-Feb-2026 00:00:00 +0000", &["\\Answered", "\\Seen"], FORWARDED),
        message("05-Feb-2026 05:05:05 +0100", &["\\Deleted"], ENCODED),
        message("06-Feb-2026 06:06:06 -0800", &["\\Draft", "custom"], "Subject: only a header\n\n"),
        message("07-Feb-2026 07:07:07 +0000", &[], PARAMETERS),
        message("08-Feb-2026 08:08:08 +0000", &["\\Seen", "$Junk"], REPORT),
        message("09-Feb-2026 09:09:09 +0000", &[], "\nA body without a header.\n"),
        message("10-Feb-2026 10:10:10 +0000", &["\\Flagged"], FOLDED),
        message("11-Feb-2026 11:11:11 +0000", &[], DIGEST),
        message("12-Feb-2026 12:12:12 +0000", &[], &large()),
    ]
}

const PLAIN: &str = "Return-Path: <ann@example.org>
From: Ann Example <ann@example.org>
To: bob@hub.test
Subject: plain words
Date: Mon, 2 Feb 2026 10:11:12 +0100
Message-ID: <plain@example.org>

Just some text.
It has a few lines, and the word needle.

-- 
Ann
";

const ADDRESSES: &str = "From: \"Example, Ann\" <ann@example.org>, carol@example.net (Carol in a comment)
Sender: secretary@example.org
Reply-To: <replies@example.org>
To: Team: dan@example.org, \"E \\\"quoted\\\" V\" <eve@example.com>;, fred@example.org
Cc: undisclosed-recipients:;
Bcc: hidden@example.org
Subject: addresses of all kinds
Date: Tue, 3 Feb 2026 23:59:59 -0500
Message-ID: <addresses@example.org>
In-Reply-To: <plain@example.org>
References: <plain@example.org>

Who gets this?
";

const ALTERNATIVE: &str = "From: ann@example.org
To: bob@hub.test, carol@example.net
Subject: Re: plain words
Date: Fri, 28 Feb 2025 12:00:00 +0000
Message-ID: <alternative@example.org>
In-Reply-To: <plain@example.org>
References: <plain@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

This is a preamble.
--outer
Content-Type: multipart/alternative; boundary=\"in ner\"

--in ner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe, and a soft=
 line break. needle
--in ner
Content-Type: multipart/related; boundary=rel

--rel
Content-Type: text/html; charset=us-ascii
Content-ID: <html@example.org>

<p>Hello, <b>needle</b></p>
--rel
Content-Type: image/png; name=dot.png
Content-ID: <dot@example.org>
Content-Transfer-Encoding: base64
Content-Disposition: inline; filename=dot.png

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk
--rel--
--in ner--

--outer
Content-Type: application/octet-stream; name=\"a b.bin\"
Content-Description: Some bytes
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=\"a b.bin\"; size=6

AAECAwQF
--outer--
An epilogue.
";

const FORWARDED: &str = "From: bob@hub.test
To: dan@example.org
Subject: Fwd: nested
Date: Wed, 4 Feb 2026 00:00:00 +0000
Message-ID: <forwarded@hub.test>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b1

--b1

See below.
--b1
Content-Type: message/rfc822
Content-Description: the original

From: eve@example.com
To: bob@hub.test
Subject: nested
Date: Tue, 3 Feb 2026 01:02:03 +0000
Message-ID: <nested@example.com>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b2

--b2
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9
--b2
Content-Type: message/rfc822

Subject: deepest

bottom line
--b2--

--b1--
";

const ENCODED: &str = "From: =?utf-8?Q?J=C3=BCrgen?= <juergen@example.org>
To: =?iso-8859-1?B?Suly9G1l?= <jerome@example.org>
Subject: =?utf-8?B?R3LDvMOfZSBhdXM=?= =?utf-8?Q?_K=C3=B6ln?=
Date: Thu, 5 Feb 2026 05:05:05 +0100
Message-ID: <encoded@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: base64

RGllIFN0cmHfZSBpc3QgbGFuZy4K
";

const PARAMETERS: &str = "From: ann@example.org
Subject: many parameters
Date: Sat, 7 Feb 2026 07:07:07 +0000
Mime-Version: 1.0
Content-Type: TEXT/Plain; charset=\"UTF-8\"; format=flowed; DelSp=yes;
\tname*0*=utf-8''na%C3%AFve; name*1=.txt
Content-ID: <params@example.org>
Content-Description: described
Content-Transfer-Encoding: 8BIT
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Disposition: INLINE; filename=\"quo\\\"te.txt\"
Content-Language: en, de
Content-Location: http://example.org/x

body
";

const REPORT: &str = "From: MAILER-DAEMON@example.org
To: bob@hub.test
Subject: Undelivered Mail
Date: Sun, 8 Feb 2026 08:08:08 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=r

--r
Content-Description: Notification

It did not work.
--r
Content-Type: message/delivery-status

Reporting-MTA: dns; example.org

Final-Recipient: rfc822; nobody@example.org
Action: failed
Status: 5.1.1
--r
Content-Type: text/rfc822-headers

Subject: lost
--r--
";

const FOLDED: &str = "Received: from a.example (a.example [192.0.2.1])
\tby b.example with ESMTP id 1;
\tTue, 10 Feb 2026 10:10:09 +0000
Received: from c.example by a.example; Tue, 10 Feb 2026 10:10:08 +0000
From: ann@example.org (a comment (nested))
To: bob@hub.test,
 carol@example.net
Subject: a subject
 that is folded
\tover three lines
Date: Tue, 10 Feb 2026
 10:10:10 +0000
Message-ID: <folded@example.org>
References: <plain@example.org>
 <alternative@example.org>
X-Empty:
X-Spaces:    around   

Folded.
";

const DIGEST: &str = "From: list@example.org
To: bob@hub.test
Subject: digest
Date: Wed, 11 Feb 2026 11:11:11 +0000
MIME-Version: 1.0
Content-Type: multipart/digest; boundary=d

--d

From: ann@example.org
Subject: first of the digest

one needle
--d

From: bob@hub.test
Subject: second of the digest

two
--d--
";

/// Larger than what fits a row or a packet.
fn large() -> String {
    let line = "All work and no play makes a dull server, says line number";
    let body: String = (0..4000).map(|n| format!("{line} {n}.\n")).collect();
    format!(
        "From: big@example.org\nSubject: large\nDate: Thu, 12 Feb 2026 12:12:12 +0000\n\n{body}haystack\n"
    )
}
