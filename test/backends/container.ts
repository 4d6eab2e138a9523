// A backend in a container, by testcontainers: where Docker runs and the image is there or can be pulled.
// testcontainers is loaded only here and only when it is needed: it is slow to load.

interface ContainerOptions {
  readonly image: string;
  readonly ports: readonly { container: number; host: number }[];
  readonly environment: Record<string, string>;
  /** Resolves true once it serves. */
  readonly serves: () => Promise<boolean>;
}

const startTimeoutMs = 180_000;

/** Resolves when the container serves; disposing of it removes it. Rejects where there is no Docker or no image. */
export async function startContainer(options: ContainerOptions): Promise<AsyncDisposable> {
  const { GenericContainer, StartupCheckStrategy } = await import('testcontainers');

  // What comes with testcontainers looks at open ports, which Docker's proxy opens before anybody serves behind them.
  class Serves extends StartupCheckStrategy {
    override async checkStartupState(...[docker, id]: Parameters<StartupCheck>): ReturnType<StartupCheck> {
      const { State: state } = await docker.getContainer(id).inspect();
      if (!state.Running) return 'FAIL';
      return (await options.serves()) ? 'SUCCESS' : 'PENDING';
    }
  }
  type StartupCheck = (typeof StartupCheckStrategy)['prototype']['checkStartupState'];

  const container = await new GenericContainer(options.image)
    .withExposedPorts(...options.ports)
    .withEnvironment(options.environment)
    .withWaitStrategy(new Serves())
    .withStartupTimeout(startTimeoutMs)
    .start();
  return {
    async [Symbol.asyncDispose]() {
      await container.stop({ timeout: 0 });
    },
  };
}
