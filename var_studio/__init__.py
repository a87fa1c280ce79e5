"""The app's pages, a folder for each tab: widgets to a `Request`, and `Step`s to widgets. No tensors here."""
