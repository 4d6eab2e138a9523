// A backend in a container, by testcontainers: where Docker runs and the image is there or can be pulled.
// testcontainers is loaded only here and only when it is needed: it is slow to load.

import { randomUUID } from 'node:crypto';

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
  const { GenericContainer, StartupCheckStrategy, getContainerRuntimeClient } = await import('testcontainers');

  // What comes with testcontainers looks at open ports, which Docker's proxy opens before anybody serves behind them.
  class Serves extends StartupCheckStrategy {
    override async checkStartupState(...[docker, id]: Parameters<StartupCheck>): ReturnType<StartupCheck> {
      const { State: state } = await docker.getContainer(id).inspect();
      if (!state.Running) return 'FAIL';
      return (await options.serves()) ? 'SUCCESS' : 'PENDING';
    }
  }
  type StartupCheck = (typeof StartupCheckStrategy)['prototype']['checkStartupState'];

  const name = `sluice-test-${randomUUID()}`;
  const { container: docker } = await getContainerRuntimeClient();
  const remove = () => docker.getById(name).remove({ force: true, v: true });
  try {
    await new GenericContainer(options.image)
      .withName(name)
      .withExposedPorts(...options.ports)
      .withEnvironment(options.environment)
      .withWaitStrategy(new Serves())
      .withStartupTimeout(startTimeoutMs)
      .start();
  } catch (error) {
    // One that was made but could not be started would stay for ever; where there was no image, there is nothing to
    // remove.
    await remove().catch(() => undefined);
    throw error;
  }
  return { [Symbol.asyncDispose]: remove };
}
