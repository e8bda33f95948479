"""``python -m webpubsub``: the same as the ``webpubsub`` command."""

from webpubsub.cli import main

if __name__ == "__main__":
    main()
