import random,sys
n=int(sys.argv[1])
print("digraph{node[shape=box]")
for i in range(1,n):
    print(f'{i-1} -> {i} [label="(5, 4)"]')
    if i%5==0 and i>7: print(f'{i-7} -> {i}')
print("}")
