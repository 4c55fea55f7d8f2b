"""`rollback doctor`: is what should roll back able to?"""
