from latte.cli.app import main

main()
