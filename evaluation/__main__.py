from evaluation.cli.app import main

main()
