"""allauth's forms in our words: what a field is called, and nothing that the page says already."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm, ResetPasswordForm, SignupForm
from django.utils.translation import gettext_lazy as _


class SignIn(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("User name or e-mail")
        self.fields["password"].help_text = ""  # the link to a new password stands below the button
        self.fields["remember"].label = _("Stay signed in on this computer")


class SignUp(SignupForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("User name")
        self.fields["email"].label = _("E-mail")
        self.fields["email"].help_text = _("Only used when you forget your password.")
        self.fields["password1"].help_text = _("At least 8 characters, and no common password.")
        self.fields["password2"].label = _("Password, once more")


class NewPassword(ResetPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")
