"""What Supabase Auth writes, statement by statement, as its own role.

The statements are those of hosted Auth (GoTrue: `models/user.go`, and in `api` `signup.go`,
`verify.go`, `user.go`, `external.go`) and, where they differ, of the local one, which uses a token
in a statement of its own before it changes the rest. Each method is one transaction of Auth's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from psycopg.types.json import Jsonb

from client import Caller, Client
from matrix.house import House


@dataclass(frozen=True, slots=True)
class Auth:
    """Supabase Auth on the database of a house.

    Attributes:
        confirms: Whether confirmations are on.
    """

    house: House
    confirms: bool = True

    def sign_up(self, email: str, password: str = "hash") -> str:
        """A sign-up with a password: a mail goes out, or, without confirmations, none."""
        user_id = str(uuid4())
        with self._transaction():
            self._run(
                "insert into auth.users (id, email, encrypted_password, confirmation_token,"
                " recovery_token, email_change, email_change_token_new, email_change_token_current,"
                " raw_user_meta_data) values (%s, lower(%s), %s, '', '', '', '', '', %s)",
                user_id,
                email,
                password,
                # Typed by whoever signs up, so it proves nothing.
                Jsonb({"email_verified": True}),
            )
            self._identity(user_id, "email", email, verified=True)
            if self.confirms:
                self._run(
                    "update auth.users set confirmation_token = %s, confirmation_sent_at = now()"
                    " where id = %s",
                    uuid4().hex,
                    user_id,
                )
            else:
                self._confirm(user_id)
        return user_id

    def open_confirmation(self, user_id: str) -> None:
        """The link of the sign-up's mail."""
        with self._transaction():
            self._confirm(user_id)

    def open_confirmation_locally(self, user_id: str) -> None:
        """The same in the local stack."""
        with self._transaction():
            self._run("update auth.users set confirmation_token = null where id = %s", user_id)
            self._run("update auth.users set email_confirmed_at = now() where id = %s", user_id)

    def create_as_administrator(self, email: str) -> str:
        """`admin.createUser` with `email_confirm`: nothing is mailed."""
        user_id = str(uuid4())
        with self._transaction():
            self._run(
                "insert into auth.users (id, email, confirmation_token, recovery_token)"
                " values (%s, lower(%s), '', '')",
                user_id,
                email,
            )
            self._confirm(user_id)
        return user_id

    def invite_as_administrator(self, email: str) -> str:
        """`admin.inviteUserByEmail`."""
        user_id = str(uuid4())
        with self._transaction():
            self._run(
                "insert into auth.users (id, email, encrypted_password, recovery_token,"
                " confirmation_token, confirmation_sent_at, invited_at)"
                " values (%s, lower(%s), '', '', %s, now(), now())",
                user_id,
                email,
                uuid4().hex,
            )
        return user_id

    def open_invitation(self, user_id: str) -> None:
        """Its link: a password nobody knows is set first, which empties all tokens."""
        with self._transaction():
            self._set_password(user_id, "random")
            self._confirm(user_id)

    def ask_for_link(self, user_id: str) -> None:
        """A sign-in link or a forgotten password: a mail goes out."""
        with self._transaction():
            self._run(
                "update auth.users set recovery_token = %s, recovery_sent_at = now() where id = %s",
                uuid4().hex,
                user_id,
            )

    def open_link(self, user_id: str) -> None:
        """Its link, or the code beside it."""
        with self._transaction():
            self._run("update auth.users set recovery_token = '' where id = %s", user_id)
            self._run(
                "update auth.users set email_confirmed_at = now()"
                " where id = %s and email_confirmed_at is null",
                user_id,
            )

    def mail_confirmation_again(self, user_id: str) -> None:
        """A sign-in link, or a second sign-up, for an account that is not confirmed yet.

        Auth mails another confirmation and keeps the first password (`signup.go`, `magic_link.go`).
        """
        with self._transaction():
            self._run(
                "update auth.users set confirmation_token = %s, confirmation_sent_at = now()"
                " where id = %s",
                uuid4().hex,
                user_id,
            )

    def change_password(self, user_id: str, password: str) -> None:
        """`updateUser` with a password."""
        with self._transaction():
            self._set_password(user_id, password)

    def change_email(self, user_id: str, email: str, *, both: bool = True) -> None:
        """`updateUser` with an address: mails to both, or, without confirmations, done at once.

        Args:
            user_id: Whose.
            email: The new one.
            both: Whether the present address is asked, too (`double_confirm_changes`).
        """
        with self._transaction():
            if self.confirms:
                self._run(
                    "update auth.users set email_change = %s, email_change_sent_at = now(),"
                    " email_change_token_current = %s, email_change_token_new = %s,"
                    " email_change_confirm_status = 0 where id = %s",
                    email,
                    uuid4().hex if both else "",
                    uuid4().hex,
                    user_id,
                )
            else:
                self._finish_change(user_id, email)

    def open_change(self, user_id: str, *halves: str) -> None:
        """The links of a change of address: `current`, `new`, or one after the other."""
        for half in halves[:-1]:
            with self._transaction():
                self._run(
                    "update auth.users set email_change_confirm_status = 1,"
                    f" email_change_token_{half} = '' where id = %s",
                    user_id,
                )
        with self._transaction():
            rows = self.house.connection.execute(
                "select email_change from auth.users where id = %s", [user_id]
            ).fetchone()
            assert rows is not None
            self._finish_change(user_id, rows[0])

    def open_change_locally(self, user_id: str, half: str) -> None:
        """The local stack finishes with the token of the present address alone."""
        with self._transaction():
            self._run(
                f"update auth.users set email_change_token_{half} = null where id = %s", user_id
            )
            self._run(
                "update auth.users set email = email_change, email_change = null,"
                " email_change_token_current = null, email_change_token_new = null where id = %s",
                user_id,
            )

    def sign_in_with(self, user_id: str, provider: str, email: str, *, verified: bool) -> None:
        """An identity provider tells of an address."""
        with self._transaction():
            self._identity(user_id, provider, email, verified=verified)

    def session(self, user_id: str, *, by: str = "otp", ago: int = 0) -> Client:
        """A client with a token of a new session.

        Args:
            user_id: Whose.
            by: How it was opened, in Auth's words: `otp` is a mailed link or code.
            ago: How many seconds ago the token was signed.
        """
        session_id = str(uuid4())
        signed = int(time.time()) - ago
        self._run("insert into auth.sessions (id, user_id) values (%s, %s)", session_id, user_id)
        return self.token(
            user_id,
            session_id=session_id,
            iat=signed,
            amr=[{"method": by, "timestamp": signed}],
        )

    def token(self, user_id: str, **claims: object) -> Client:
        """A client with a token that says this."""
        caller = Caller.person(user_id)
        return Client(
            self.house.connection,
            Caller(caller.role, {**caller.claims, **claims}),  # type: ignore[dict-item]
        )

    def password(self, user_id: str) -> str | None:
        """The stored hash."""
        row = self.house.connection.execute(
            "select encrypted_password from auth.users where id = %s", [user_id]
        ).fetchone()
        assert row is not None
        stored: str | None = row[0]
        return stored

    def providers(self, user_id: str) -> list[str]:
        """Of the account's identities."""
        rows = self.house.connection.execute(
            "select provider from auth.identities where user_id = %s order by provider", [user_id]
        ).fetchall()
        return [row[0] for row in rows]

    def _confirm(self, user_id: str) -> None:
        self._run(
            "update auth.users set confirmation_token = '', email_confirmed_at = now()"
            " where id = %s",
            user_id,
        )

    def _set_password(self, user_id: str, password: str) -> None:
        self._run(
            "update auth.users set encrypted_password = %s, confirmation_token = '',"
            " confirmation_sent_at = null, recovery_token = '', recovery_sent_at = null,"
            " email_change_token_current = '', email_change_token_new = '',"
            " email_change_sent_at = null where id = %s",
            password,
            user_id,
        )

    def _finish_change(self, user_id: str, email: str) -> None:
        self._run(
            "update auth.users set email = lower(%s), email_change = '',"
            " email_change_token_current = '', email_change_token_new = '',"
            " email_change_confirm_status = 0 where id = %s",
            email,
            user_id,
        )
        self._run(
            "update auth.users set confirmation_token = '', email_confirmed_at = now()"
            " where id = %s and email_confirmed_at is null",
            user_id,
        )

    def _identity(self, user_id: str, provider: str, email: str, *, verified: bool) -> None:
        self._run(
            "insert into auth.identities (id, provider, provider_id, user_id, identity_data)"
            " values (%s, %s, %s, %s, %s)",
            uuid4(),
            provider,
            uuid4().hex,
            user_id,
            Jsonb({"email": email, "email_verified": verified}),
        )

    def _run(self, statement: str, *values: object) -> None:
        self.house.connection.execute(statement.encode(), values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self.house.connection
        with connection.transaction():
            connection.execute("set local role supabase_auth_admin")
            yield
            # The tests run inside a transaction of their own; what Auth's set ends with Auth's.
            connection.execute("set local role none")
            connection.execute("select set_config('escapemaster.answered', '', true)")
