"""tests: the same paths as fastcnn; `cases` and `harness` are shared by all of them."""
