from latte.cli import main

main()
