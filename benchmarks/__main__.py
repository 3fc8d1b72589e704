"""The command line; its modules are imported by the process that runs it, not by its workers."""


def main() -> None:
    """Run the command that the arguments name."""
    from benchmarks.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
