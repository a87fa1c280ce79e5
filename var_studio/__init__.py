"""The app's pages: one file per tab, widgets to a `Request` and `Step`s to widgets. Nothing here touches a tensor."""
