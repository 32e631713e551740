# SPDX-License-Identifier: Apache-2.0
"""The forms a visitor can send."""
from django import forms

from .models import Note


class NoteForm(forms.ModelForm):
    """A new entry of the guestbook."""
    class Meta:
        model = Note
        fields = ["text"]
        widgets = {"text": forms.Textarea(attrs={"rows": 3})}


class UploadForm(forms.Form):
    """Any file; it is measured and forgotten."""
    file = forms.FileField(allow_empty_file=True)
