//! Messages for SORT and THREAD: chains of replies with and without References, the subjects that
//! RFC 5256 §2.1 takes apart, dates in all their forms and missing.

use super::messages::{Message, message};

/// In this order: scenes name them by number.
pub(crate) fn conversations() -> Vec<Message> {
    let posts = LUNCH.iter().chain(LOST).chain(ENCODED).chain(ODD).chain(CROWD);
    posts.map(|(received, text)| message(received, &[], text)).collect()
}

type Post = (&'static str, &'static str);

/// One conversation; clients have said in different ways what answers what.
const LUNCH: &[Post] = &[
    (
        "10-Mar-2026 12:00:00 +0000",
        "From: Zoe <zoe@example.org>
To: team@example.net
Subject: Lunch on Friday
Date: Tue, 10 Mar 2026 09:00:00 +0000
Message-ID: <lunch1@example.org>

Where?
",
    ),
    (
        "09-Mar-2026 12:00:00 +0000",
        "From: \"Abe Example\" <m.abe@example.com>
To: Zoe <zoe@example.org>
Cc: team@example.net
Subject: Re: Lunch on Friday
Date: Tue, 10 Mar 2026 12:30:00 +0200
Message-ID: <lunch2@example.com>
References: <lunch1@example.org>

At the usual place?
",
    ),
    (
        "11-Mar-2026 12:00:00 +0000",
        "From: carol@example.net (Carol)
To: m.abe@example.com
Cc: zoe@example.org
Subject: RE: re:  lunch on
 friday
Date: Tue, 10 Mar 2026 08:00:00 -0500
Message-ID: <lunch3@example.net>
In-Reply-To: Your message <lunch2@example.com>

Yes.
",
    ),
    (
        "12-Mar-2026 12:00:00 +0000",
        "From: dan@example.org
To: eve@example.org
Subject: Fwd: [list] Lunch on Friday (fwd)
Date: Wed, 11 Mar 2026 07:00:00 +0000
Message-ID: <lunch4@example.org>

See below.
",
    ),
    (
        "12-Mar-2026 12:00:00 +0000",
        "From: eve@example.org
To: dan@example.org
Subject: [Fwd: [list] Re: Lunch on Friday]
Date: Wed, 11 Mar 2026 08:00:00 +0000
Message-ID: <lunch5@example.org>
In-Reply-To: <lunch4@example.org>
References: <lunch1@example.org> <lunch4@example.org>

Who else comes?
",
    ),
    (
        "13-Mar-2026 12:00:00 +0000",
        "From: Zoe <zoe@example.org>
Subject: Lunch on Friday
Date: Tue, 10 Mar 2026 10:30:00 +0000
Message-ID: <lunch1@example.org>

A second message with the identifier of the first.
",
    ),
];

/// Answers to messages that are not there, and to each other.
const LOST: &[Post] = &[
    (
        "14-Mar-2026 12:00:00 +0000",
        "From: fred@example.org
Subject: Re: Holiday plans
Date: Fri, 13 Mar 2026 12:00:00 +0000
Message-ID: <holiday2@example.org>
References: <holiday0@example.org> <holiday1@example.org>

One
",
    ),
    (
        "14-Mar-2026 12:00:00 +0000",
        "From: gina@example.org
Subject: Re: Holiday plans
Date: Thu, 12 Mar 2026 12:00:00 +0000
Message-ID: <holiday3@example.org>
References: <holiday0@example.org> <holiday1@example.org>

Two
",
    ),
    (
        "14-Mar-2026 12:00:00 +0000",
        "From: hugo@example.org
Subject: Something else altogether
Date: Sat, 14 Mar 2026 12:00:00 +0000
Message-ID: <holiday4@example.org>
References: <holiday0@example.org>

Three, whose subject was changed.
",
    ),
    (
        "15-Mar-2026 12:00:00 +0000",
        "From: ida@example.org
Subject: Hen
Date: Sun, 15 Mar 2026 12:00:00 +0000
Message-ID: <hen@example.org>
References: <egg@example.org>

Which was first?
",
    ),
    (
        "15-Mar-2026 12:00:00 +0000",
        "From: jan@example.org
Subject: Egg
Date: Sun, 15 Mar 2026 11:00:00 +0000
Message-ID: <egg@example.org>
References: <hen@example.org>

I was.
",
    ),
];

/// Equal words in several encodings.
const ENCODED: &[Post] = &[
    (
        "16-Mar-2026 12:00:00 +0000",
        "From: =?utf-8?Q?=C3=84nne?= <aenne@example.org>
To: =?utf-8?Q?Z=C3=B6e?= <zz@example.org>
Subject: =?utf-8?Q?Caf=C3=A9_am_Abend?=
Date: Mon, 16 Mar 2026 12:00:00 +0000
Message-ID: <cafe1@example.org>

Ja?
",
    ),
    (
        "16-Mar-2026 12:00:00 +0000",
        "From: =?iso-8859-1?Q?=E4nne?= <other@example.org>
Subject: Re: =?iso-8859-1?Q?CAF=C9?= am Abend
Date: Mon, 16 Mar 2026 13:00:00 +0000
Message-ID: <cafe2@example.org>

Ja.
",
    ),
    (
        "16-Mar-2026 12:00:00 +0000",
        "From: kim@example.org
Subject: =?us-ascii?Q?Re=3A_Lunch?= =?us-ascii?B?IG9uIEZyaWRheQ==?=
Date: Mon, 16 Mar 2026 14:00:00 +0000
Message-ID: <lunch6@example.org>

The same subject, encoded.
",
    ),
];

/// What is missing, empty or from another century.
const ODD: &[Post] = &[
    ("17-Mar-2026 12:00:00 +0000", "From: leo@example.org\nSubject: re[2]: no date\n\nNone.\n"),
    ("05-Mar-2026 23:00:00 -0500", "From: mia@example.org\nSubject: no date\nDate: soon\n\nNot really.\n"),
    (
        "17-Mar-2026 13:00:00 +0000",
        "From: nils@example.org\nSubject: An old form\nDate: 1 Jan 98 10:00 EST\nMessage-ID: <old@example.org>\n\nx\n",
    ),
    (
        "17-Mar-2026 14:00:00 +0000",
        "Subject:\nDate: Tue, 17 Mar 2026 10:00:00 +0000\nMessage-ID: <empty@example.org>\n\nNo subject.\n",
    ),
    (
        "17-Mar-2026 15:00:00 +0000",
        "From: ole@example.org\nSubject: Re: Fwd:\nDate: Tue, 17 Mar 2026 09:00:00 +0000\n\nNothing is left of it.\n",
    ),
    (
        "17-Mar-2026 16:00:00 +0000",
        "From: pia@example.org\nDate: Tue, 17 Mar 2026 05:00:00 -0500\nIn-Reply-To: <old@example.org>\n\nNeither.\n",
    ),
];

/// Addresses to sort by: groups, comments, several in a field.
const CROWD: &[Post] = &[
    (
        "18-Mar-2026 12:00:00 +0000",
        "From: The Team: quentin@example.org, ruth@example.org;
To: undisclosed-recipients:;
Subject: [blog] [list] Groups
Date: Wed, 18 Mar 2026 12:00:00 +0000
Message-ID: <groups1@example.org>

x
",
    ),
    (
        "18-Mar-2026 12:00:00 +0000",
        "From: \"Sue, the First\" <SUE@example.org>, tom@example.org
To: ADA@example.org, zoe@example.org
Cc: \"Bo \\\"B\\\" Example\" <bo@example.org>
Subject: AW: Groups
Date: Wed, 18 Mar 2026 13:00:00 +0100
Message-ID: <groups2@example.org>

x
",
    ),
];
